// Package walletcmd is `hufu wallet`: a wallet for developers and tests, with software keys in a directory. IT IS FOR TESTING ONLY.
package walletcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

// flags are shared by all commands of `hufu wallet`.
type flags struct {
	dir  string
	json bool
}

// NewCommand is `hufu wallet`. What its commands return is a *deptclient.ExitError or nil, or what cobra says of wrong flags.
func NewCommand() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "wallet",
		Short: "A wallet for developers and tests: accept an offer, list, present (software keys)",
		Long: `A wallet for developers and tests. IT IS FOR TESTING ONLY: the private keys lie in the clear in a directory (--wallet).

    hufu wallet accept OFFER --tx-code 123456
    hufu wallet list
    hufu wallet present --nonce N --audience https://verifier.example --show name,valid_to > shown.txt
    hufu verify --root root.json --bundle bundle.zip --nonce N --audience https://verifier.example shown.txt

Exit codes: 0 done, 1 wrong usage or something that can't be reached, 2 refused (by the server, or by the wallet for a bad answer).`,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.PersistentFlags().StringVar(&f.dir, "wallet", "hufu-wallet", "directory of the wallet; made when it is not there")
	cmd.PersistentFlags().BoolVar(&f.json, "json", false, "print one JSON object")
	cmd.AddCommand(acceptCmd(f), listCmd(f), presentCmd(f), fetchCmd(f), refreshCmd(f), providerCmd(f), linkableCmd(f))
	return cmd
}

// run opens the wallet, prints the answer of fn as JSON or by its show function, and turns errors into exit codes.
func (f *flags) run(cmd *cobra.Command, fn func(*folder.Folder) (answer any, show func(*deptclient.Printer), err error)) error {
	store, err := folder.Open(f.dir)
	if err != nil {
		return f.fail(cmd, fmt.Errorf("the wallet's directory can't be used: %w", err))
	}
	answer, show, err := fn(store)
	if err != nil {
		return f.fail(cmd, err)
	}
	return f.answer(cmd, answer, show)
}

func (f *flags) answer(cmd *cobra.Command, answer any, show func(*deptclient.Printer)) error {
	if f.json {
		return printJSON(cmd, answer)
	}
	p := &deptclient.Printer{Out: cmd.OutOrStdout()}
	show(p)
	return p.Err()
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// failure is how an error looks in JSON.
type failure struct {
	Code   string `json:"code"`
	Status int    `json:"status,omitempty"`
	Title  string `json:"title"`
	Hint   string `json:"hint,omitempty"`
}

func (f *flags) fail(cmd *cobra.Command, err error) error {
	var exit *deptclient.ExitError
	if errors.As(err, &exit) && exit.Err == nil {
		return exit
	}
	e, code := explain(err)
	if f.json {
		if err := printJSON(cmd, map[string]any{"error": e}); err != nil {
			return err
		}
		return &deptclient.ExitError{Code: code}
	}
	text := e.Title
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return &deptclient.ExitError{Code: code, Err: errors.New(text)}
}

// explain says what went wrong, whether it was a refusal, and what may help.
func explain(err error) (failure, int) {
	var answered *wallet.ErrorResponse
	var exit *deptclient.ExitError
	switch {
	case errors.As(err, &answered):
		title := fmt.Sprintf("the server refused [%d %s]", answered.Status, answered.Code)
		if answered.Description != "" {
			title += ": " + answered.Description
		}
		return failure{Code: deptclient.Clean(answered.Code), Status: answered.Status, Title: deptclient.Clean(title), Hint: hints[answered.Code]}, deptclient.ExitRefused
	case errors.Is(err, wallet.ErrIssuer):
		return failure{Code: "bad_answer", Title: deptclient.Clean(strings.TrimPrefix(err.Error(), "wallet: "))}, deptclient.ExitRefused
	case errors.Is(err, httpx.ErrURL), errors.Is(err, httpx.ErrAddress):
		return failure{Code: "address", Title: "the address is not allowed: https anywhere public, http only on this machine and only when the offer itself is from there"}, deptclient.ExitUsage
	case errors.Is(err, httpx.ErrUnreachable):
		return failure{Code: "unreachable", Title: "the server did not answer: " + deptclient.Clean(err.Error())}, deptclient.ExitUsage
	case errors.As(err, &exit):
		return failure{Code: "failed", Title: exit.Err.Error()}, exit.Code
	}
	return failure{Code: "failed", Title: deptclient.Clean(err.Error())}, deptclient.ExitUsage
}

// hints are what helps with an error of the protocol.
var hints = map[string]string{
	"invalid_grant":   "The offer was taken already, is too old, or the transaction code (--tx-code) is another one. Ask for a new offer.",
	"invalid_request": "If the offer came with a transaction code, give it by --tx-code; if not, leave --tx-code out.",
	"invalid_client":  "This server wants to know the wallet: give --client-id, or a wallet attestation by --provider.",
}

// safe is the client for one offer: public addresses by https, and this machine only when the offer comes from this machine.
func safe(address string) *httpx.Client {
	o := httpx.ClientOptions{Timeout: 15 * time.Second, MaxBytes: 1 << 20}
	if isLocal(address) {
		o.Allow = func(ap netip.AddrPort) bool { return ap.Addr().Unmap().IsLoopback() }
	}
	return httpx.NewClient(o)
}

func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
