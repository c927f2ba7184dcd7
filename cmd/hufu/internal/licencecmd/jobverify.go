package licencecmd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// jobVerifyCmd checks a signed report, its lines and the file, with the register's public keys: from a file, or fetched once from --url.
func jobVerifyCmd(f *licenceFlags) *cobra.Command {
	var keysFile, file string
	cmd := &cobra.Command{
		Use:   "verify REPORT",
		Short: "Verify a report by REPORT.jws beside it, and the file that was imported",
		Long: `Verify a report by the signed one beside it (REPORT.jws): who signed, that the lines are those that were signed, and with --file that
the imported file is the one that was sent. The register's keys come from --keys FILE (a JWK set), or from the server at --url.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := reportKeys(cmd, keysFile, f.URL)
			if err != nil {
				return &ExitError{Code: ExitUsage, Err: err}
			}
			jws, err := os.ReadFile(args[0] + ".jws")
			if err != nil {
				return &ExitError{Code: ExitUsage, Err: err}
			}
			r, err := verifyReport(string(jws), keys, args[0], file)
			if err != nil {
				return &ExitError{Code: ExitRefused, Err: fmt.Errorf("NOT the report that was signed: %w", err)}
			}
			if f.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			p := &printer{&deptclient.Printer{Out: cmd.OutOrStdout()}}
			p.signed(r)
			return nil
		},
	}
	cmd.Flags().StringVar(&keysFile, "keys", "", "file with the register's public keys (JWK set)")
	cmd.Flags().StringVar(&file, "file", "", "the imported file, to be compared with what was signed")
	return cmd
}

func reportKeys(cmd *cobra.Command, file, server string) ([]jose.JWK, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return jose.ParseJWKS(b)
	}
	if server == "" {
		return nil, errors.New("--keys FILE or --url URL is needed: whose report is it?")
	}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, strings.TrimSuffix(server, "/")+job.KeysPath, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server can't be reached: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server gave no keys: %s", resp.Status)
	}
	return jose.ParseJWKS(b)
}

func verifyReport(jws string, keys []jose.JWK, lines, file string) (job.Report, error) {
	var r job.Report
	v, err := jose.Verify(strings.TrimSpace(jws), jose.Policy{Typ: []string{job.ReportType}, Algs: []jose.Alg{jose.ES256, jose.EdDSA}}, keys...)
	if err != nil {
		return r, fmt.Errorf("the signature doesn't verify: %w", err)
	}
	if err := jose.DecodeStrict(v.Payload(), &r); err != nil {
		return r, fmt.Errorf("what was signed is no report: %w", err)
	}
	for _, c := range []struct{ name, want, what string }{{lines, r.ReportSHA256, "the lines of the report"}, {file, r.FileSHA256, "the imported file"}} {
		if c.name == "" {
			continue
		}
		got, err := hashOf(c.name)
		if err != nil {
			return r, err
		}
		if got != c.want {
			return r, fmt.Errorf("%s differ: sha-256 %s, signed was %s", c.what, got, clean(c.want))
		}
	}
	return r, nil
}

func hashOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
