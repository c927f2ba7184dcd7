package sealcmd

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
)

// signAnswer is what `hufu seal sign --json` prints.
type signAnswer struct {
	Seal      string          `json:"seal"`
	Use       sealapi.UseView `json:"use"`
	Repeated  bool            `json:"repeated"`
	Signature string          `json:"signature_file"`
}

func signCmd(f *flags) *cobra.Command {
	var seal, out string
	var ask eseal.SignRequest
	cmd := &cobra.Command{
		Use:   "sign --seal ID --out F.jades F",
		Short: "Seal a file; only its digest leaves this computer",
		Long: `Seal a file. The file is read here, and only its SHA-256 is sent; the seal (a detached JAdES signature) is written beside it.

If the answer was lost, repeat the command with the --request-id that it printed: the use is recorded once, and the seal is made again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
				if err := prepare(args[0], out, seal, &ask); err != nil {
					return nil, nil, err
				}
				body, err := json.Marshal(ask)
				if err != nil {
					return nil, nil, err
				}
				var done sealapi.SealedView
				if err := c.Call(cmd.Context(), http.MethodPost, "/seals/v1/seals/"+url.PathEscape(seal)+"/sign", "application/json", body, &done); err != nil {
					return nil, nil, again(err, ask.RequestID)
				}
				if err := writeWhole(out, []byte(done.Signature)); err != nil {
					return nil, nil, again(err, ask.RequestID)
				}
				answer := signAnswer{Seal: done.Seal, Use: done.Use, Repeated: done.Repeated, Signature: out}
				return answer, func(p *deptclient.Printer) { printSigned(p, answer, args[0]) }, nil
			})
		},
	}
	cmd.Flags().StringVar(&seal, "seal", "", "id of the seal (required); hufu seal list shows yours")
	cmd.Flags().StringVar(&out, "out", "", "where the seal goes, such as F.jades (required)")
	cmd.Flags().StringVar(&ask.DocumentKind, "kind", "", "kind of document; not needed if the seal is for one kind only")
	cmd.Flags().StringVar(&ask.RequestID, "request-id", "", "that of an earlier try whose answer was lost")
	cmd.Flags().StringVar(&ask.FileName, "file-name", "", "a name to record with the use and to write into the seal; none is sent if empty")
	cmd.Flags().StringVar(&ask.MediaType, "media-type", "", "media type to write into the seal, such as application/pdf")
	return cmd
}

// prepare reads the file and completes the request.
func prepare(file, out, seal string, ask *eseal.SignRequest) error {
	if seal == "" || out == "" {
		return deptclient.Usage("--seal ID and --out FILE are needed: which seal, and where the signature goes")
	}
	if a, err := filepath.Abs(file); err == nil {
		if b, err := filepath.Abs(out); err == nil && a == b {
			return deptclient.Usage("--out is the document itself; the seal is a file of its own")
		}
	}
	in, err := os.Open(file)
	if err != nil {
		return &deptclient.ExitError{Code: deptclient.ExitUsage, Err: err}
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return &deptclient.ExitError{Code: deptclient.ExitUsage, Err: err}
	}
	ask.SHA256 = hex.EncodeToString(h.Sum(nil))
	if ask.RequestID == "" {
		var b [16]byte
		_, _ = rand.Read(b[:])
		ask.RequestID = hex.EncodeToString(b[:])
	}
	return nil
}

// again says how to repeat what may or may not have happened.
func again(err error, requestID string) error {
	var refused *deptclient.Refusal
	if errors.As(err, &refused) && refused.Status < 500 {
		return err
	}
	return fmt.Errorf("%w\nRepeating is safe: the same command with --request-id %s", err, requestID)
}

// writeWhole writes a file or leaves what was there.
func writeWhole(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".hufu-seal-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
