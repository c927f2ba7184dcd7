package walletcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
	"github.com/hufu-id/hufu/internal/sample/wallet/provider"
)

type acceptFlags struct {
	*flags
	who
	txCode, configuration, issuer string
	copies                        int
	details, attestation          bool
	wait                          time.Duration

	said io.Writer // for the person, not for a program that reads the answer
}

func acceptCmd(f *flags) *cobra.Command {
	a := &acceptFlags{flags: f}
	cmd := &cobra.Command{
		Use:   "accept OFFER | --issuer URL --configuration ID",
		Short: "Take the credential of an offer (openid-credential-offer://...)",
		Long: `Take the credential of an offer. OFFER is the link of the offer, by value or by reference, as it stands behind the QR code; put it in quotes.

An offer with a pre-authorized code is redeemed at once, with its transaction code if it has one. For any other, and with --issuer instead of an offer, the wallet
prints an address: open it in a browser on this machine and log in.

The wallet makes a key for each copy, proves it, checks what it gets (issuer, signature, type, key) and stores it in a new file.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.said = cmd.ErrOrStderr()
			return f.run(cmd, func(store *folder.Folder) (any, func(*deptclient.Printer), error) {
				link, err := a.target(args)
				if err != nil {
					return nil, nil, err
				}
				return a.accept(cmd.Context(), store, link)
			})
		},
	}
	a.bind(cmd)
	cmd.Flags().StringVar(&a.txCode, "tx-code", "", "transaction code that came by another way than the offer")
	cmd.Flags().StringVar(&a.configuration, "configuration", "", "which of the offered credentials; the first when empty")
	cmd.Flags().StringVar(&a.issuer, "issuer", "", "start without an offer, at this credential issuer")
	cmd.Flags().IntVar(&a.copies, "copies", 1, "how many copies to ask for, each with a key of its own; the issuer may give fewer")
	cmd.Flags().BoolVar(&a.details, "details", false, "ask by authorization_details instead of scope")
	cmd.Flags().BoolVar(&a.attestation, "attestation-proof", false, "prove the keys by a key attestation alone (needs --provider)")
	cmd.Flags().DurationVar(&a.wait, "wait", 2*time.Minute, "how long to wait for a credential that the issuer puts off")
	return cmd
}

// who are the flags that say who the wallet is.
type who struct {
	clientID, provider string
	encrypt, bearer    bool
}

func (o *who) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.clientID, "client-id", "", "client identifier of the wallet at the authorization server; anonymous when empty")
	cmd.Flags().StringVar(&o.provider, "provider", "", "directory of a test wallet provider that attests the wallet (hufu wallet provider init)")
	cmd.Flags().BoolVar(&o.encrypt, "encrypt", false, "ask for an encrypted answer, also where the issuer doesn't insist")
	cmd.Flags().BoolVar(&o.bearer, "bearer", false, "take a bearer token also where the server binds tokens to a key (DPoP)")
}

// wallet makes the wallet for one issuer; address is what the person named, redirect the loopback listener's, "" for none.
func (o who) wallet(address, redirect string) (*wallet.Wallet, error) {
	opts := wallet.Options{Safe: safe(address), ClientID: o.clientID, RedirectURI: redirect, DPoP: !o.bearer, Encrypt: o.encrypt}
	if o.provider != "" {
		p, err := provider.Load(o.provider)
		if err != nil {
			return nil, deptclient.Usage("--provider: %v", err)
		}
		if o.clientID != "" && o.clientID != p.ClientID() {
			return nil, deptclient.Usage("--client-id %s is not the client of the provider (%s); leave it out", o.clientID, p.ClientID())
		}
		opts.Attester = p
	}
	return wallet.New(opts), nil
}

// target is the offer, made up from --issuer when there is none.
func (a *acceptFlags) target(args []string) (string, error) {
	switch {
	case len(args) == 1 && a.issuer == "":
		return strings.TrimSpace(args[0]), nil
	case len(args) == 1, a.issuer == "":
		return "", deptclient.Usage("give an OFFER, or --issuer with --configuration")
	case a.configuration == "":
		return "", deptclient.Usage("--issuer needs --configuration: which credential, such as driving-licence")
	}
	b, err := json.Marshal(map[string]any{"credential_issuer": a.issuer, "credential_configuration_ids": []string{a.configuration}})
	if err != nil {
		return "", err
	}
	return "openid-credential-offer://?" + url.Values{"credential_offer": {string(b)}}.Encode(), nil
}

// offerAddress is the address behind an offer: its issuer, or where the offer itself is.
func offerAddress(link string) (string, error) {
	u, err := url.Parse(link)
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
	address, err := offerAddress(link)
	if err != nil {
		return nil, nil, err
	}
	back, err := listen()
	if err != nil {
		return nil, nil, err
	}
	defer back.Close()
	if a.attestation && a.provider == "" {
		return nil, nil, deptclient.Usage("--attestation-proof needs --provider: somebody must attest the keys")
	}
	w, err := a.wallet(address, back.URI())
	if err != nil {
		return nil, nil, err
	}
	o, err := w.ReadOffer(ctx, link)
	if err != nil {
		return nil, nil, err
	}
	configuration, err := choose(o, a.configuration)
	if err != nil {
		return nil, nil, err
	}
	if w, err = a.named(w, o, address, back.URI()); err != nil {
		return nil, nil, err
	}
	i, err := w.DiscoverAt(ctx, o.Issuer, server(o))
	if err != nil {
		return nil, nil, err
	}
	if _, ok := i.Configurations[configuration]; !ok {
		return nil, nil, fmt.Errorf("%w: it knows no credential %q", wallet.ErrIssuer, configuration)
	}
	if w, err = a.bearerWhere(w, i, address, back.URI()); err != nil {
		return nil, nil, err
	}
	token, err := a.token(ctx, w, i, o, configuration, back)
	if err != nil {
		return nil, nil, err
	}
	t := taking{store: store, w: w, i: i, configuration: configuration, token: token, wait: a.wait, clientID: a.clientID}
	return t.take(ctx, wallet.TakeOptions{Copies: a.copies, Attestation: a.attestation, Wait: a.wait})
}

// named gives the wallet a name where it needs one and has none: that of hufu dev's sample wallet, for an issuer on this machine.
func (a *acceptFlags) named(w *wallet.Wallet, o wallet.Offer, address, redirect string) (*wallet.Wallet, error) {
	if o.Grants.PreAuthorized != nil || a.clientID != "" || a.provider != "" {
		return w, nil
	}
	if !isLocal(address) {
		return nil, deptclient.Usage("this issuer wants the person to log in, and for that the wallet must be a client there: give --client-id, or --provider")
	}
	a.clientID = "sample-wallet"
	return a.wallet(address, redirect)
}

// bearerWhere falls back to bearer tokens where the server knows no DPoP.
func (a *acceptFlags) bearerWhere(w *wallet.Wallet, i wallet.Issuer, address, redirect string) (*wallet.Wallet, error) {
	if a.bearer || len(i.Server.DPoPAlgs) > 0 {
		return w, nil
	}
	a.bearer = true
	return a.wallet(address, redirect)
}

func server(o wallet.Offer) string {
	if o.Grants.PreAuthorized != nil {
		return o.Grants.PreAuthorized.Server
	}
	if o.Grants.AuthorizationCode != nil {
		return o.Grants.AuthorizationCode.Server
	}
	return ""
}

// token gets the access token by the grant that the offer has.
func (a *acceptFlags) token(ctx context.Context, w *wallet.Wallet, i wallet.Issuer, o wallet.Offer, configuration string, back *listener) (wallet.Token, error) {
	if p := o.Grants.PreAuthorized; p != nil {
		if p.TxCode != nil && a.txCode == "" {
			text := "this offer needs a transaction code: give it by --tx-code"
			if p.TxCode.Description != "" {
				text += " (" + deptclient.Clean(p.TxCode.Description) + ")"
			}
			return wallet.Token{}, deptclient.Usage("%s", text)
		}
		if p.TxCode == nil && a.txCode != "" {
			return wallet.Token{}, deptclient.Usage("this offer has no transaction code: leave --tx-code out")
		}
		var details []string
		if a.details {
			details = []string{configuration}
		}
		return w.RedeemDetails(ctx, i, o, a.txCode, details...)
	}
	options := wallet.AuthorizeOptions{Details: a.details}
	if o.Grants.AuthorizationCode != nil {
		options.IssuerState = o.Grants.AuthorizationCode.IssuerState
	}
	begun, err := w.AuthorizeAt(ctx, i, configuration, options)
	if err != nil {
		return wallet.Token{}, err
	}
	fmt.Fprintf(a.said, "Open this address in a browser on this machine and log in:\n\n    %s\n\nWaiting (Ctrl+C to give up)...\n", begun.URL)
	callback, err := back.wait(ctx)
	if err != nil {
		return wallet.Token{}, err
	}
	return w.Code(ctx, begun, callback)
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

// taking asks for copies and stores them.
type taking struct {
	store         *folder.Folder
	w             *wallet.Wallet
	i             wallet.Issuer
	configuration string
	token         wallet.Token
	wait          time.Duration
	clientID      string
	// id is the one that a put-off credential has already; replaces is the one whose copies are refreshed.
	id, replaces string
}

func (t taking) take(ctx context.Context, o wallet.TakeOptions) (any, func(*deptclient.Printer), error) {
	b, err := t.w.Take(ctx, t.i, t.configuration, t.token, o)
	var later *wallet.PendingError
	if errors.As(err, &later) {
		return t.postpone(later.Pending)
	}
	if err != nil {
		return nil, nil, err
	}
	return t.keep(ctx, b)
}

func (t taking) entry() folder.Taking {
	c := t.i.Configurations[t.configuration]
	return folder.Taking{ID: t.id, Issuer: t.i.ID, Configuration: t.configuration, Format: c.Format, Type: c.Type(), TakenAt: time.Now().UTC().Truncate(time.Second)}
}

// postpone stores what is needed to ask again.
func (t taking) postpone(p wallet.Pending) (any, func(*deptclient.Printer), error) {
	e := t.entry()
	e.Pending = true
	var err error
	if e.Session, err = t.w.SaveSession(wallet.Session{Issuer: t.i.ID, Server: t.i.Server.Issuer, ClientID: t.clientID, Token: t.token, Pending: &p}); err != nil {
		return nil, nil, err
	}
	if e.ID == "" {
		if e.ID, err = t.store.Add(e); err != nil {
			return nil, nil, err
		}
	}
	v := describe(e, time.Now())
	return map[string]any{"pending": v, "interval": int(p.Interval.Seconds())}, func(p *deptclient.Printer) {
		p.Line("The issuer has %s not ready yet. Ask again later: hufu wallet fetch %s", deptclient.Clean(t.configuration), e.ID)
	}, nil
}

// keep stores copies, and only then tells the issuer that they arrived.
func (t taking) keep(ctx context.Context, b wallet.Batch) (any, func(*deptclient.Printer), error) {
	e := t.entry()
	e.Copies, e.Used = b.Copies, make([]bool, len(b.Copies))
	var err error
	if e.Session, err = t.w.SaveSession(wallet.Session{Issuer: t.i.ID, Server: t.i.Server.Issuer, ClientID: t.clientID, Token: t.token, NotificationID: b.NotificationID}); err != nil {
		return nil, nil, err
	}
	if e.ID, err = t.store.Add(e); err != nil {
		return nil, nil, err
	}
	if t.replaces != "" {
		if err := t.store.Replace(t.replaces, e.ID); err != nil {
			return nil, nil, err
		}
	}
	notified := t.w.Notify(ctx, t.i, t.token, b.NotificationID, wallet.Accepted)
	v := describe(e, time.Now())
	answer := map[string]any{"taken": v, "file": t.store.Path(e.ID)}
	if notified != nil {
		answer["notification_error"] = notified.Error()
	}
	return answer, func(p *deptclient.Printer) {
		p.Line("Took %s", deptclient.Clean(t.configuration))
		printView(p, v)
		p.Line("Stored in %s. For testing only: the private key stands there in the clear.", t.store.Path(e.ID))
		if notified != nil {
			p.Line("The issuer could not be told that it arrived: %s", deptclient.Clean(notified.Error()))
		}
		p.Line("Show it: hufu wallet present %s --nonce NONCE --audience AUDIENCE --show CLAIM,CLAIM", e.ID)
	}, nil
}
