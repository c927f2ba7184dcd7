package walletcmd

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

type acceptFlags struct {
	*flags
	txCode, configuration, clientID string
}

func acceptCmd(f *flags) *cobra.Command {
	a := &acceptFlags{flags: f}
	cmd := &cobra.Command{
		Use:   "accept OFFER",
		Short: "Take the credential of an offer (openid-credential-offer://...)",
		Long: `Take the credential of an offer. OFFER is the link of the offer, by value or by reference, as it stands behind the QR code; put it in quotes.

The wallet makes a key, proves it, checks what it gets (issuer, signature, type, key) and stores it in a new file.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(store *folder.Folder) (any, func(*deptclient.Printer), error) {
				return a.accept(cmd.Context(), store, args[0])
			})
		},
	}
	cmd.Flags().StringVar(&a.txCode, "tx-code", "", "transaction code that came by another way than the offer")
	cmd.Flags().StringVar(&a.configuration, "configuration", "", "which of the offered credentials; the first when empty")
	cmd.Flags().StringVar(&a.clientID, "client-id", "", "client identifier of the wallet at the authorization server; anonymous when empty")
	return cmd
}

// offerAddress is the address behind an offer: its issuer, or where the offer itself is.
func offerAddress(link string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || u.Scheme == "" {
		return "", deptclient.Usage("OFFER must be a link such as openid-credential-offer://?credential_offer_uri=... (in quotes)")
	}
	if reference := u.Query().Get("credential_offer_uri"); reference != "" {
		return reference, nil
	}
	var o struct {
		Issuer string `json:"credential_issuer"`
	}
	if json.Unmarshal([]byte(u.Query().Get("credential_offer")), &o) != nil || o.Issuer == "" {
		return "", deptclient.Usage("the link holds no offer: neither credential_offer nor credential_offer_uri")
	}
	return o.Issuer, nil
}

func (a *acceptFlags) accept(ctx context.Context, store *folder.Folder, link string) (any, func(*deptclient.Printer), error) {
	link = strings.TrimSpace(link)
	address, err := offerAddress(link)
	if err != nil {
		return nil, nil, err
	}
	w := wallet.New(wallet.Options{Safe: safe(address), ClientID: a.clientID})
	o, err := w.ReadOffer(ctx, link)
	if err != nil {
		return nil, nil, err
	}
	configuration, err := choose(o, a.configuration)
	if err != nil {
		return nil, nil, err
	}
	if o.Grants.PreAuthorized != nil && o.Grants.PreAuthorized.TxCode != nil && a.txCode == "" {
		return nil, nil, deptclient.Usage("this offer needs a transaction code: give it by --tx-code")
	}
	i, err := w.Discover(ctx, o.Issuer)
	if err != nil {
		return nil, nil, err
	}
	token, err := w.Redeem(ctx, i, o, a.txCode)
	if err != nil {
		return nil, nil, err
	}
	c, err := w.Request(ctx, i, configuration, token)
	if err != nil {
		return nil, nil, err
	}
	t := folder.Taking{Issuer: i.ID, Configuration: configuration, Format: c.Format, Type: c.Type, TakenAt: time.Now().UTC().Truncate(time.Second),
		Copies: []wallet.Credential{c}}
	if t.ID, err = store.Add(t); err != nil {
		return nil, nil, err
	}
	t.Used = make([]bool, len(t.Copies))
	v := describe(t, time.Now())
	return map[string]any{"taken": v, "file": store.Path(t.ID)}, func(p *deptclient.Printer) {
		p.Line("Took %s from %s", deptclient.Clean(configuration), deptclient.Clean(i.ID))
		printView(p, v)
		p.Line("Stored in %s. For testing only: the private key stands there in the clear.", store.Path(t.ID))
		p.Line("Show it: hufu wallet present %s --nonce NONCE --audience AUDIENCE --show CLAIM,CLAIM", t.ID)
	}, nil
}

func choose(o wallet.Offer, wanted string) (string, error) {
	if wanted == "" {
		return o.ConfigurationIDs[0], nil
	}
	for _, id := range o.ConfigurationIDs {
		if id == wanted {
			return id, nil
		}
	}
	return "", deptclient.Usage("the offer has no %q; it has: %s", wanted, deptclient.Clean(strings.Join(o.ConfigurationIDs, ", ")))
}
