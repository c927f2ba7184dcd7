// Package node is the composition root of the national server: it opens every module in order, joins them (adapters.go), and closes them in
// reverse. Nothing else knows all modules.
package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/bundles"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/front"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/hostedports"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/issuing"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/provinces"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/registry"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/identity"
	upstreamoidc "github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/bundlepub"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/bundlestore"
	"github.com/hufu-id/hufu/internal/sqlstore/identitystore"
	"github.com/hufu-id/hufu/internal/sqlstore/issuerstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/internal/sqlstore/trailstore"
	"github.com/hufu-id/hufu/internal/sweep"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/wallet/correction"
	"github.com/hufu-id/hufu/wallet/holder"
	"github.com/hufu-id/hufu/wallet/hosted"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/reissue"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
	"github.com/hufu-id/hufu/web"
)

// Version of this release; it stands in the foot of pages.
const Version = "0.2"

// Options are what a node needs beyond the file.
type Options struct {
	Config
	KEK     [32]byte
	Clients []oidc.Client
	Log     *slog.Logger
	// Allow lets outgoing requests reach sockets that the guard refuses.
	Allow func(netip.AddrPort) bool
	// AllowHTTP is for provinces on loopback without TLS.
	AllowHTTP bool
	// Registration says who may register a client; LoopbackClients makes every loopback URL one, for dev.
	Registration    registration.Policy
	LoopbackClients bool
	// Migrate brings the tables up to date before starting; serve leaves that to `hufu migrate`.
	Migrate bool
	// OpenTrail shows everybody the last requests of every client: for a server on one's own machine.
	OpenTrail bool
	// Home serves "/"; nil is the plain home page.
	Home func(*web.Pages) http.HandlerFunc
}

// Node is one running national server: every module, opened in order, closed in reverse.
type Node struct {
	cfg     Options
	db      *sqlstore.DB
	keys    *keys.Service
	secrets secrets
	pages   *web.Pages
	client  *httpx.Client
	sealer  *httpx.Sealer

	persons    *identity.Service
	provider   *oidc.Provider
	federation *federation.Federation
	status     *status.Service
	journal    *journal.Writer // nil without one
	register   *registry.Room
	issuer     *issuer.Issuer
	holder     *holder.Holder
	correction *correction.Service
	hosted     *hosted.Wallet
	renewals   hostedports.Renewals
	reissue    *reissue.Service
	bundle     *bundlepub.Service
	seals      *eseal.Service

	issuerStore *issuerstore.Store
	runner      *sweep.Runner
	router      *mux.Router
	handler     http.Handler
}

// Open opens everything. After an error nothing is left open.
func Open(ctx context.Context, cfg Options) (*Node, error) {
	n := &Node{cfg: cfg}
	for _, step := range []func(context.Context) error{
		n.openDatabase, n.openKeys, n.openShared, n.openSeals, n.openWalletRooms, n.openLoginRooms, n.openCitizenRooms, n.openCorrection, n.openBundle, n.openHosted, n.putClients,
	} {
		if err := step(ctx); err != nil {
			n.Close()
			return nil, err
		}
	}
	n.runner = sweep.New(n.db, cfg.Log, n.jobs()...)
	n.handler = n.routes()
	return n, nil
}

// Handler serves the national server.
func (n *Node) Handler() http.Handler { return n.handler }

// Publish signs what is waiting to be published: status lists, then the bundle.
func (n *Node) Publish(ctx context.Context) error { return n.publish(ctx) }

// TrustRoot is the newest root of trust, for whoever gets it out of band.
func (n *Node) TrustRoot(ctx context.Context) ([]byte, error) { return n.bundle.Root(ctx) }

// Register is the departments' register.
func (n *Node) Register() *register.Service { return n.register.Service }

// Identifier is the credential issuer identifier of an authority.
func (n *Node) Identifier(code string) string { return n.issuer.Identifier(code) }

// LastLogin returns the audit events from the newest login on, for the start page of the sample world.
func (n *Node) LastLogin(ctx context.Context) ([]audit.Event, error) {
	return sqlstore.AuditChain{DB: n.db}.Since(ctx, "federation.logged_in", 12)
}

// Start runs the background work until Close.
func (n *Node) Start(ctx context.Context) { n.runner.Start(ctx) }

// Close ends the background work and the connections.
func (n *Node) Close() {
	if n.runner != nil {
		n.runner.Stop()
	}
	if n.journal != nil {
		_ = n.journal.Close() // what was acknowledged is on the disk
	}
	if n.db != nil {
		_ = n.db.Close()
	}
}

func (n *Node) openDatabase(ctx context.Context) (err error) {
	if n.db, err = sqlstore.Open(ctx, n.cfg.Database); err != nil {
		return err
	}
	if n.cfg.Migrate {
		return n.db.Migrate(ctx)
	}
	if err := n.db.CheckSchema(ctx); err != nil {
		return fmt.Errorf("%w; run hufu migrate", err)
	}
	return nil
}

func (n *Node) openShared(context.Context) (err error) {
	if n.pages, err = web.New(web.Config{Sandbox: n.cfg.Sandbox, Version: Version}); err != nil {
		return err
	}
	n.sealer = httpx.NewSealer(n.secrets.cookies)
	n.client = httpx.NewClient(httpx.ClientOptions{Allow: n.cfg.Allow})
	return nil
}

// certified is the way out with a client certificate.
func (n *Node) certified(cert tls.Certificate) upstreamoidc.HTTP {
	return httpx.NewClient(httpx.ClientOptions{Allow: n.cfg.Allow, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
}

func (n *Node) openWalletRooms(ctx context.Context) (err error) {
	o := n.cfg.Origin
	if n.cfg.RevocationJournal != "" {
		if n.journal, err = journal.Open(n.cfg.RevocationJournal, o); err != nil {
			return err
		}
	}
	if n.status, err = status.New(status.Config{Store: statusstore.New(n.db), Tx: n.db.InTx, Audit: n.db.Audit, Signer: statusSigner(n.keys),
		Journal: n.journal, AfterCommit: n.db.AfterCommit, Spread: n.cfg.Status.Spread, History: n.cfg.Status.History, BaseURL: o, Log: n.cfg.Log}); err != nil {
		return err
	}
	if err := n.status.CheckJournal(ctx); err != nil {
		return fmt.Errorf("%w; if it was restored from a backup, run hufu restore", err)
	}
	auth := departments{n}
	if n.register, err = registry.Open(registry.Config{Origin: o, DB: n.db, Status: statusLists{n}, Departments: auth, MayIssue: n.cfg.mayIssue,
		SealKey: n.secrets.register, IndexKey: n.secrets.registerIndex, Keys: n.keys, Log: n.cfg.Log}); err != nil {
		return err
	}
	if n.persons, err = identity.New(identity.Config{Store: identitystore.New(n.db), Sealer: httpx.NewSealer(n.secrets.identity),
		IndexKey: n.secrets.identityIndex}); err != nil {
		return err
	}
	makers, err := n.cfg.OpenID.Makers()
	if err != nil {
		return err
	}
	n.issuerStore = issuerstore.New(n.db)
	n.issuer, err = issuer.New(ctx, issuer.Config{Origin: o, Secret: n.secrets.issuer, Store: n.issuerStore, Tx: n.db.InTx, Authorities: authorities{n},
		Licences: licences{n}, Persons: takers{n}, Status: issuing.Status{Lists: n.status}, Signers: issuing.Signers{Keys: n.keys}, Tokens: accessTokens{n},
		Departments: offerDepartments{auth}, Log: n.cfg.Log, Policy: n.cfg.Issuing.Policy(makers),
		Decrypter: func(ctx context.Context) (issuer.Decrypter, error) {
			return n.keys.Decrypter(ctx, keys.CredentialRequest)
		}})
	return err
}

func (n *Node) openLoginRooms(context.Context) (err error) {
	clientCAs, err := n.cfg.MTLS.ClientCAs()
	if err != nil {
		return err
	}
	providers, err := n.cfg.OpenID.Providers()
	if err != nil {
		return err
	}
	if n.provider, err = oidc.New(oidc.Config{Issuer: n.cfg.Origin, Store: oidcstore.New(n.db, time.Now), Keys: providerKeys{n.keys}, PairwiseSecret: n.secrets.pairwise,
		CodeSecret: n.secrets.code, Sealer: n.sealer, Pages: n.pages, Persons: persons{n}, CredentialScopes: credentialScopes{n.issuer}, Credentials: credentials{n.issuer},
		PreAuthorizedCodes: preAuthorizedCodes{n.issuer}, Registration: n.cfg.Registration, LoopbackClients: n.cfg.LoopbackClients, HTTP: n.client,
		MTLSOrigin: n.cfg.MTLS.PublicOrigin(), ClientCAs: clientCAs, Profile: n.cfg.OpenID.Profile, DetailTypes: n.cfg.OpenID.Catalogue(), WalletProviders: providers, Renewal: n.cfg.OpenID.WalletRenewal.Lives(),
		ProvinceOpen: n.cfg.joined, ProvinceName: provinceName, Trail: trailstore.New(n.db), OpenTrail: n.cfg.OpenTrail, Log: n.cfg.Log}); err != nil {
		return err
	}
	members, err := provinces.Members(n.cfg.Provinces, provinces.Ports{Origin: n.cfg.Origin, AllowHTTP: n.cfg.AllowHTTP, HTTP: n.client, JWKS: n.keys.JWKS,
		Signer:    func(ctx context.Context, p keys.Purpose) (jose.SigningKey, error) { return signingKey(ctx, n.keys, p) },
		Certified: n.certified})
	if err != nil {
		return err
	}
	n.federation, err = federation.New(federation.Config{Origin: n.cfg.Origin, Members: members, Flows: flows{n.provider}, Persons: n.persons,
		Tx: n.db.InTx, ClaimOnce: n.db.ClaimOnce, Lost: sqlstore.ErrLost, Audit: n.db.Audit, Sealer: n.sealer, Pages: n.pages, Log: n.cfg.Log})
	return err
}

func (n *Node) openCitizenRooms(context.Context) (err error) {
	n.holder, err = holder.New(holder.Config{Origin: n.cfg.Origin, FormKey: n.secrets.forms, Pages: n.pages, Citizens: citizens{n},
		Licences: ownLicences{n}, Offers: offers{n.issuer}, Logout: "/logout", Log: n.cfg.Log})
	return err
}

func (n *Node) openBundle(context.Context) (err error) {
	in := bundles.Inputs{Origin: n.cfg.Origin, Keys: n.keys, Register: n.register.Service, Status: n.status, Policy: bundlePolicy(),
		Seals: func(ctx context.Context, in *bundle.Input) error {
			return seals.Publish(ctx, n.seals, n.cfg.Origin, n.cfg.makers(), in)
		}}
	for _, a := range n.cfg.Authorities {
		in.Authorities = append(in.Authorities, bundles.Authority{ID: n.issuer.Identifier(a.Code), Code: a.Code, NameZH: a.NameZH, NameEN: a.NameEN, Region: a.Region, Types: a.Types})
	}
	n.bundle, err = bundlepub.New(bundlepub.Config{Store: bundlestore.New(n.db), Inputs: in, Keys: bundles.Roles{Keys: n.keys}, Now: time.Now})
	return err
}

func (n *Node) putClients(ctx context.Context) error {
	for _, c := range n.cfg.Clients {
		if err := n.provider.Clients().Put(ctx, c); err != nil {
			return fmt.Errorf("client %s: %w", c.ID, err)
		}
	}
	return nil
}

// jobs is the background work of a node. Every job is safe to run twice.
func (n *Node) jobs() []sweep.Job {
	chainer := &audit.Chainer{Store: sqlstore.AuditChain{DB: n.db}, Sign: auditSigner(n.keys), Now: time.Now}
	return append(n.register.Jobs(), []sweep.Job{
		{Name: "publish", Every: time.Second, Run: n.publish},
		{Name: "logouts", Every: time.Second, Run: n.provider.DeliverLogouts},
		{Name: "audit-chain", Every: 2 * time.Second, Run: chainer.Run},
		{Name: "keys", Every: time.Minute, Run: n.keys.Tick},
		{Name: "expired", Every: time.Minute, Run: n.deleteExpired},
		{Name: "wallet-providers", Every: time.Minute, Everywhere: true, Run: n.cfg.OpenID.Renew(n.provider.TrustWallets)},
		{Name: "developer-trail", Every: time.Second, Everywhere: true, Run: n.provider.FlushTrail},
		{Name: "status", Every: 5 * time.Second, Everywhere: true, Run: n.keepStatus},
		{Name: "journal", Every: time.Minute, Everywhere: true, Run: n.status.CheckJournal},
		{Name: "hosted-wallet", Every: time.Minute, Run: n.hosted.Sweep},
		{Name: "reissue", Every: time.Second, Run: n.reissue.Step},
	}...)
}

// publish signs the status lists that changed, then the bundle that carries them.
func (n *Node) publish(ctx context.Context) error {
	return errors.Join(n.status.Publish(ctx), n.bundle.Publish(ctx))
}

// keepStatus has this node know the published lists, for times without a database, and the journal what a crash kept from it.
func (n *Node) keepStatus(ctx context.Context) error {
	_, err := n.status.Tokens(ctx)
	return errors.Join(err, n.status.Record(ctx))
}

func (n *Node) deleteExpired(ctx context.Context) error {
	now := time.Now()
	_, err1 := n.db.DeleteExpiredClaims(ctx, now, 5000)
	_, err2 := n.provider.Sweep(ctx, 5000)
	_, err3 := n.issuer.Sweep(ctx)
	_, err4 := n.status.Sweep(ctx)
	return errors.Join(err1, err2, err3, err4)
}

// routes mounts every module. Limits, headers and recovery go around the router: its own middleware skips 404, 405 and redirects.
func (n *Node) routes() http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	n.router = r
	for _, m := range []interface{ Routes(*mux.Router) }{n.provider, n.federation, sealapi.New(n.seals, sealPeople{departments{n}}, seals.Show(n.pages), n.cfg.Log), n.register, n.issuer, n.holder, n.correction, n.hosted, n.status, n.bundle} {
		m.Routes(r)
	}
	r.PathPrefix("/assets/").Handler(n.pages.Assets())
	r.HandleFunc(crlPath, n.revocationList).Methods("GET", "HEAD")
	r.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }).Methods("GET", "HEAD")
	r.HandleFunc("/readyz", n.ready).Methods("GET", "HEAD")
	home := front.Home(n.pages)
	if n.cfg.Home != nil {
		home = n.cfg.Home(n.pages)
	}
	r.HandleFunc("/", home).Methods("GET", "HEAD")
	r.NotFoundHandler = front.NotFound(n.pages)
	r.MethodNotAllowedHandler = front.MethodNotAllowed(n.pages)
	return httpx.Wrap(n.provider.Presenting(n.pages.Preferences(r)), httpx.Options{Log: n.cfg.Log, HSTS: strings.HasPrefix(n.cfg.Origin, "https://"), MaxBody: maxBody,
		ServerError: func(w http.ResponseWriter, r *http.Request) { n.pages.Problem(w, r, web.NewProblem("internal", nil)) }})
}
