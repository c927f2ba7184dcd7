package walletcmd

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet/provider"
)

func providerCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "A wallet provider for tests: attests wallets and keys"}
	var clientID, issuer, form string
	initCmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make the anchor and the attester key of a test wallet provider",
		Long: `Make a wallet provider for tests in a new directory: an anchor (` + provider.AnchorFile + `, a self-signed certificate), and an attester key that the anchor certifies
(` + provider.ProviderFile + `). With it the wallet proves what it is (wallet attestation) and how its keys are kept (key attestation):

    hufu wallet accept OFFER --provider DIR

IT IS FOR TESTING ONLY: it attests anything, and the private key stands in the file in the clear. A server that trusts its anchor trusts whoever has the file.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := provider.New(clientID, issuer, form, time.Now())
			if err != nil {
				return f.fail(cmd, deptclient.Usage("--form is haip-1.0 or current"))
			}
			if err := p.Save(args[0]); errors.Is(err, fs.ErrExist) {
				return f.fail(cmd, deptclient.Usage("%s holds a provider already; nothing was overwritten", args[0]))
			} else if err != nil {
				return f.fail(cmd, err)
			}
			anchor := filepath.Join(args[0], provider.AnchorFile)
			return f.answer(cmd, map[string]any{"client_id": clientID, "issuer": issuer, "form": form, "anchor": anchor}, func(p *deptclient.Printer) {
				p.Line("Made a test wallet provider in %s. For testing only: it attests anything.", args[0])
				p.Line("    client   %s", deptclient.Clean(clientID))
				p.Line("    issuer   %s", deptclient.Clean(issuer))
				p.Line("    form     %s", form)
				p.Line("    anchor   %s (a server must trust it, by its configuration)", anchor)
				p.Line("Use it: hufu wallet accept OFFER --provider %s", args[0])
			})
		},
	}
	initCmd.Flags().StringVar(&clientID, "client-id", "hufu-test-wallet", "client identifier of the wallets that it attests")
	initCmd.Flags().StringVar(&issuer, "issuer", "https://wallet-provider.test", "how the provider calls itself")
	initCmd.Flags().StringVar(&form, "form", provider.HAIP, "form of the wallet attestation: haip-1.0 (draft 07) or current")
	cmd.AddCommand(initCmd)
	return cmd
}
