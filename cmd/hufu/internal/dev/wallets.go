package dev

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/openid"
	"github.com/hufu-id/hufu/internal/sample/wallet/provider"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// ReadyWalletProvider is a test wallet provider that this world trusts: Dir is for `hufu wallet accept --provider`.
type ReadyWalletProvider struct {
	Form     string `json:"form"`
	Dir      string `json:"dir"`
	ClientID string `json:"client_id"`
}

// walletProviders makes a test provider for each form of the wallet attestation, or finds those of an earlier start, and a client for the wallets of each.
func (w *World) walletProviders() (configs []openid.WalletProvider, clients []oidc.Client, err error) {
	for _, f := range []struct{ form, profile, zh, en string }{
		{provider.HAIP, "haip", "经认证的测试钱包（HAIP 1.0）", "Attested test wallet (HAIP 1.0)"}, {provider.Current, "", "经认证的测试钱包", "Attested test wallet"}} {
		dir := filepath.Join(w.dir, "wallet-provider-"+f.form)
		p, err := provider.Load(dir)
		if errors.Is(err, fs.ErrNotExist) {
			if p, err = provider.New("test-wallet-"+f.form, "https://wallet-provider.test", f.form, time.Now()); err == nil {
				err = p.Save(dir)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		anchor := filepath.Join(dir, provider.AnchorFile)
		configs = append(configs, openid.WalletProvider{Name: f.form, Profile: f.form, Issuer: p.Issuer(), AnchorsFile: anchor, KeyAnchorsFile: anchor})
		clients = append(clients, oidc.Client{ID: p.ClientID(), Name: web.Text{ZH: f.zh, EN: f.en}, Service: web.Text{ZH: "存放电子证照", EN: "Keep e-licences"},
			RedirectURIs: loopbackRedirects(), AuthMethod: client.Attestation, WalletProvider: f.form, Profile: f.profile,
			GrantTypes: []string{client.AuthorizationCode, client.PreAuthorizedCode, client.RefreshToken}, Scopes: append([]string{"openid"}, licenceTypes()...)})
		w.wallets = append(w.wallets, ReadyWalletProvider{Form: f.form, Dir: dir, ClientID: p.ClientID()})
	}
	return configs, clients, nil
}
