package dev

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/countercmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/openid"
	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
)

// Client ids of the sample world.
const (
	// hubClientID is the national server's name at the sample provinces.
	hubClientID = "hufu-national"
	// WalletClientID is a public wallet: PKCE, any loopback port.
	WalletClientID = "sample-wallet"
	// experimentClientID is a confidential client for developers.
	experimentClientID = "sample-client"
	// bankClientID is a client with a key, under the strictest profile.
	bankClientID   = "sandbox-bank"
	registerSuffix = "-register"
)

// World is the running sample world.
type World struct {
	opts     Options
	dir      string
	cleanup  func()
	sample   sample.World
	node     *node.Node
	handlers map[int]http.Handler
	doors    []*listener
	failed   chan error
	stop     sync.Once

	experimentSecret string
	bankKeyFile      string
	departmentSecret map[sample.DepartmentKind]string
	counters         []*countercmd.Running
	keyFiles         map[sample.DepartmentKind]string
	sealPeople       map[string]sealPair // by credit code
	wallets          []ReadyWalletProvider
	seals            []ReadySeal
}

func (w *World) port(offset int) int      { return w.opts.PortBase + offset }
func (w *World) origin(offset int) string { return fmt.Sprintf("http://localhost:%d", w.port(offset)) }

// authorities are the organisations that grant licences, the traffic police first.
func (w *World) authorities() (out []sample.Organisation) {
	for _, code := range []string{sample.TrafficPoliceCode, sample.MarketRegulationCode, sample.MinistryCode} {
		for _, o := range w.sample.Organisations {
			if o.Code == code {
				out = append(out, o)
			}
		}
	}
	return out
}

// Start opens the whole world. When it returns, every listener answers.
func Start(ctx context.Context, o Options) (*World, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	listeners, err := listen(o.PortBase)
	if err != nil {
		return nil, err
	}
	w := &World{opts: o, sample: sample.NewWorld(), handlers: map[int]http.Handler{}, failed: make(chan error, 1),
		departmentSecret: map[sample.DepartmentKind]string{}, keyFiles: map[sample.DepartmentKind]string{}, cleanup: func() {}}
	if err := w.open(ctx, listeners); err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		w.Stop()
		return nil, err
	}
	w.serve(listeners)
	w.node.Start(context.WithoutCancel(ctx))
	if err := w.startCounters(context.WithoutCancel(ctx)); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

func (w *World) open(ctx context.Context, listeners map[int]net.Listener) (err error) {
	if w.dir, w.cleanup, err = dataDir(w.opts); err != nil {
		return err
	}
	kek, err := devKEK(filepath.Join(w.dir, "kek"))
	if err != nil {
		return err
	}
	clients, err := w.clients()
	if err != nil {
		return err
	}
	open := detailTypes()
	var wallets []oidc.Client
	if open.Wallets, wallets, err = w.walletProviders(); err != nil {
		return err
	}
	clients = append(clients, wallets...)
	// The guard lets through exactly the sockets of this process, and nothing else on loopback.
	own := map[netip.AddrPort]bool{}
	for _, l := range listeners {
		own[l.Addr().(*net.TCPAddr).AddrPort()] = true
	}
	database := w.opts.Database
	if database == "" {
		database = "sqlite:" + filepath.Join(w.dir, "hufu.db")
	}
	w.node, err = node.Open(ctx, node.Options{
		Config: node.Config{Origin: w.origin(0), Database: database, Name: "Hufu sandbox", Sandbox: true,
			Provinces: w.provinceConfigs(), Authorities: w.authorityConfigs(), SealMakers: w.sealMakerConfigs(), OpenID: open,
			Status: node.StatusConfig{Spread: 2 * time.Second}}, // whoever tries something doesn't wait a minute
		KEK: kek, Clients: clients, Log: w.opts.Log, Migrate: true, AllowHTTP: true, OpenTrail: true, Home: w.home,
		Allow:        func(ap netip.AddrPort) bool { return own[ap] },
		Registration: registration.Policy{Mode: registration.Open, Scopes: client.LoopbackScopes(), Profiles: []string{"core", "national", "fapi2"}}, LoopbackClients: true,
	})
	if errors.Is(err, keys.ErrWrongKEK) {
		return fmt.Errorf("the data in %s belongs to another key; remove it, or name another place with --data: %w", w.dir, err)
	}
	if err != nil {
		return err
	}
	// Before anybody asks for a bundle: the first one has the sample seals.
	if err := w.seed(ctx); err != nil {
		return err
	}
	w.handlers[0] = w.node.Handler()
	if err := w.openSamples(); err != nil {
		return err
	}
	return w.openCounters(ctx, func(ap netip.AddrPort) bool { return own[ap] })
}

func (w *World) openSamples() error {
	for _, p := range w.sample.Provinces {
		code := province.Code(p.Code)
		h, err := sample.NewProvince(sample.ProvinceConfig{Info: p, People: w.sample.PeopleOf(p.Code), BaseURL: w.origin(p.Port), ClientID: hubClientID,
			RedirectURI: federation.CallbackURL(w.origin(0), code), JWKSURI: federation.KeysURL(w.origin(0), code), Log: w.opts.Log})
		if err != nil {
			return err
		}
		w.handlers[p.Port] = h
	}
	for _, d := range w.sample.Departments {
		h, err := sample.NewDepartment(sample.DepartmentConfig{Info: d, BaseURL: w.origin(d.Port), Issuer: w.origin(0),
			ClientSecret: w.departmentSecret[d.Kind], Counter: counter.Path, Log: w.opts.Log})
		if err != nil {
			return err
		}
		w.handlers[d.Port] = h
	}
	return nil
}

func (w *World) provinceConfigs() (out []node.ProvinceConfig) {
	for _, p := range w.sample.Provinces {
		levels := map[string]string{}
		for word, level := range p.Levels {
			levels[word] = level.String()
		}
		out = append(out, node.ProvinceConfig{Code: p.Code, Issuer: w.origin(p.Port), ClientID: hubClientID, Ceiling: p.Ceiling.String(), Levels: levels})
	}
	return out
}

func (w *World) authorityConfigs() (out []node.AuthorityConfig) {
	grants := records.Authorities()
	release := ""
	if w.opts.ReleaseByHand {
		release = "by_hand"
	}
	for _, o := range w.authorities() {
		out = append(out, node.AuthorityConfig{Code: o.Code, NameZH: o.Name, NameEN: o.English, Types: grants[o.Code], Region: "99", Release: release})
	}
	return out
}

// licenceTypes are all that somebody grants: the scopes of a wallet.
func licenceTypes() (out []string) {
	for _, types := range records.Authorities() {
		out = append(out, types...)
	}
	slices.Sort(out)
	return out
}

// loopbackRedirects are the redirect addresses of the two clients that strangers' programs use: any port of this machine, at the paths that they
// usually have. Exact matching stays exact: only the port is free.
func loopbackRedirects() (out []string) {
	for _, path := range []string{"/callback", "", "/", "/cb", "/redirect", "/auth/callback", "/oauth/callback", "/oauth2/callback", "/login/callback"} {
		for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
			out = append(out, "http://"+host+path)
		}
	}
	return out
}

// clients are the registered clients of the world. Their secrets are new at every start: the samples get them from this process.
func (w *World) clients() ([]oidc.Client, error) {
	w.experimentSecret = newSecret()
	out := []oidc.Client{
		{ID: WalletClientID, Name: web.Text{ZH: "样本钱包", EN: "Sample wallet"}, Service: web.Text{ZH: "存放电子证照", EN: "Keep e-licences"},
			RedirectURIs: loopbackRedirects(), AuthMethod: client.None, Public: true,
			GrantTypes: []string{client.AuthorizationCode, client.PreAuthorizedCode}, Scopes: append([]string{"openid"}, licenceTypes()...)},
		{ID: experimentClientID, Name: web.Text{ZH: "开发者试验应用", EN: "Developer's experiment"}, Service: web.Text{ZH: "试验登录", EN: "Trying a login"},
			RedirectURIs:           loopbackRedirects(),
			PostLogoutRedirectURIs: loopbackRedirects(),
			AuthMethod:             client.SecretBasic, SecretHash: client.HashSecret(w.experimentSecret),
			GrantTypes: []string{client.AuthorizationCode, client.ClientCredentials}, Scopes: []string{"openid", "profile", "phone"}, OptionalClaims: []string{"phone_number"}},
	}
	for _, d := range w.sample.Departments {
		secret := newSecret()
		w.departmentSecret[d.Kind] = secret
		out = append(out, oidc.Client{ID: d.ClientID, Name: web.Text{ZH: d.Name, EN: d.English}, Service: d.Service, Organisation: d.Code,
			RedirectURIs: []string{sample.RedirectURI(w.origin(d.Port))}, PostLogoutRedirectURIs: []string{sample.PostLogoutRedirectURI(w.origin(d.Port))},
			AuthMethod: client.SecretBasic, SecretHash: client.HashSecret(secret), GrantTypes: []string{client.AuthorizationCode}, Scopes: d.Scopes,
			OptionalClaims: []string{"phone_number"}})
		key, err := w.departmentKey(d)
		if err != nil {
			return nil, err
		}
		out = append(out, oidc.Client{ID: d.ClientID + registerSuffix, Name: web.Text{ZH: d.Name, EN: d.English}, Service: web.Text{ZH: "证照登记", EN: "Licence register"},
			Organisation: d.Code, AuthMethod: client.PrivateKeyJWT, JWKS: []jose.JWK{key}, GrantTypes: []string{client.ClientCredentials}, Scopes: []string{"register"}})
	}
	bank, err := w.bank()
	if err != nil {
		return nil, err
	}
	people, err := w.sealClients()
	return slices.Concat(out, []oidc.Client{bank}, people), err
}

// bank is a client of profile fapi2 that may also use the departments' APIs.
func (w *World) bank() (oidc.Client, error) {
	file, key, err := w.keyFile(bankClientID, bankClientID, "", "沙箱银行")
	w.bankKeyFile = file
	return oidc.Client{ID: bankClientID, Name: web.Text{ZH: "沙箱银行", EN: "Sandbox Bank"}, Service: web.Text{ZH: "开立账户", EN: "Opening an account"},
		RedirectURIs: loopbackRedirects(), PostLogoutRedirectURIs: loopbackRedirects(), Profile: "fapi2", AuthMethod: client.PrivateKeyJWT, JWKS: []jose.JWK{key},
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, Scopes: []string{"openid", "profile", "offline_access"}, Resources: w.apis()}, err
}

// apis are the identifiers of the departments' APIs.
func (w *World) apis() (out []string) {
	for _, d := range w.sample.Departments {
		out = append(out, sample.APIURL(w.origin(d.Port)))
	}
	return out
}

// detailTypes are the authorization_details that clients of the sample world may ask for.
func detailTypes() openid.Config {
	return openid.Config{AuthorizationDetails: map[string]openid.DetailType{"insurance-enquiry": {
		Title: web.Text{ZH: "查询您的医保账户（沙箱）", EN: "Look at your medical insurance account (sandbox)"},
		Actions: map[string]web.Text{"balance": {ZH: "账户余额", EN: "the balance"}, "payments": {ZH: "缴费记录", EN: "what was paid in"},
			"claims": {ZH: "报销记录", EN: "what was reimbursed"}},
	}}}
}

// newSecret returns 256 random bits.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// devKEK reads the key-encryption key of the data directory, and makes it at the first start.
func devKEK(path string) ([32]byte, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		_, text := keys.NewKEK()
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			return [32]byte{}, err
		}
	}
	return keys.ReadKEK(path)
}

// Publish signs what is waiting to be published: status lists, then the bundle.
func (w *World) Publish(ctx context.Context) error { return w.node.Publish(ctx) }
