//go:build conformance

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/identitystore"
	"github.com/hufu-id/hufu/web"
)

const (
	region   = "440000" // the province that the suite plays
	clientID = "hufu-rp"
	secret   = "hufu-rp-8f1c2ad05b7e4c93a6"
	scope    = "openid profile phone resident_id"
)

// hub is the national server's federation on a socket of its own, with one province: the suite. Each login meets a new
// connector, as after a restart; database and keys stay.
type hub struct {
	suite  *suite
	alias  string // of this run at the suite: a second run with the same would interrupt it
	origin string
	key    jose.SigningKey
	cert   tls.Certificate // self-signed, for the plans with client certificates
	db     *sqlstore.DB
	pages  *web.Pages
	sealer *httpx.Sealer
	people *identity.Service
	front  atomic.Pointer[http.Handler]
	dir    string
}

func openHub(ctx context.Context, s *suite) (h *hub, err error) {
	h = &hub{suite: s, alias: "hufu-rp-" + strings.ToLower(rand.Text()), sealer: httpx.NewSealer(bytes.Repeat([]byte("k"), 32))}
	if h.dir, err = os.MkdirTemp("", "hufu-rp-"); err != nil {
		return nil, err
	}
	if h.key, err = jose.GenerateKey(jose.ES256); err != nil {
		return nil, err
	}
	if h.cert, err = certify(h.key); err != nil {
		return nil, err
	}
	if h.db, err = sqlstore.Open(ctx, "sqlite:"+filepath.Join(h.dir, "hub.db")); err != nil {
		return nil, err
	}
	if err := h.db.Migrate(ctx); err != nil {
		return nil, err
	}
	if h.pages, err = web.New(web.Config{Sandbox: true}); err != nil {
		return nil, err
	}
	if h.people, err = identity.New(identity.Config{Store: identitystore.New(h.db), Sealer: h.sealer, IndexKey: bytes.Repeat([]byte("i"), 32)}); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h.origin = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.front.Load()).ServeHTTP(w, r) })}
	go func() { _ = srv.Serve(l) }()
	return h, nil
}

// certify makes a certificate for our key.
func certify(key jose.SigningKey) (tls.Certificate, error) {
	x := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: clientID}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Key.Public(), key.Key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Key}, err
}

func (h *hub) close() {
	_ = h.db.Close()
	_ = os.RemoveAll(h.dir)
}

// redirectURI is our callback for the suite.
func (h *hub) redirectURI() string { return federation.CallbackURL(h.origin, region) }

// join makes the suite's module at an issuer our province. resource replaces the userinfo endpoint, if given.
func (h *hub) join(p plan, issuer, resource string) (*visit, error) {
	v := &visit{hub: h, resource: resource, log: &bytes.Buffer{}}
	way := func(certs ...tls.Certificate) oidc.HTTP {
		return out{v, httpx.NewClient(httpx.ClientOptions{TLS: &tls.Config{RootCAs: h.suite.Pool, Certificates: certs}, Timeout: 20 * time.Second,
			Allow: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }})}
	}
	cfg := oidc.Config{Province: region, Issuer: issuer, ClientID: clientID, RedirectURI: h.redirectURI(), HTTP: way(), Certified: way(h.cert),
		Scopes: strings.Fields(scope), ForeignOrigins: []string{h.suite.mtls}, Levels: map[string]upstream.Level{"PASSWORD": upstream.Level1}, Signer: func(context.Context) (jose.SigningKey, error) { return h.key, nil }}
	if p.alg != "" {
		cfg.Algs, cfg.SignedUserinfo = []jose.Alg{p.alg}, true
	}
	p.configure(&cfg)
	connector, err := oidc.New(cfg)
	if err != nil {
		return nil, err
	}
	f, err := federation.New(federation.Config{Origin: h.origin, Members: []federation.Member{{Code: region, Connector: connector, Ceiling: upstream.Level1}},
		Flows: v, Persons: h.people, Tx: h.db.InTx, ClaimOnce: h.db.ClaimOnce, Lost: sqlstore.ErrLost, Audit: h.db.Audit, Sealer: h.sealer, Pages: h.pages,
		Log: slog.New(slog.NewTextHandler(v.log, nil))})
	if err != nil {
		return nil, err
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	f.Routes(router)
	front := httpx.Wrap(router, httpx.Options{})
	h.front.Store(&front)
	return v, nil
}

// visit is one person's way through one connector. It is the Flows that wait for her.
type visit struct {
	hub      *hub
	resource string
	log      *bytes.Buffer
	calls    []string // what the connector asked, for -v
	logins   int
	until    string // see module
	done     bool   // until was asked
}

// Describe knows one flow.
func (v *visit) Describe(*http.Request, string) (federation.FlowInfo, error) {
	return federation.FlowInfo{ClientName: web.Text{ZH: "测试", EN: "Test"}, ServiceName: web.Text{ZH: "测试", EN: "Test"}}, nil
}

// LoggedIn counts.
func (v *visit) LoggedIn(context.Context, *http.Request, string, federation.Login) (func(http.ResponseWriter), error) {
	v.logins++
	return func(w http.ResponseWriter) { _, _ = io.WriteString(w, "logged in") }, nil
}

// Cancelled never happens here.
func (v *visit) Cancelled(w http.ResponseWriter, _ *http.Request, _ string) {
	w.WriteHeader(http.StatusNotFound)
}

// out is a way out of the connector: the safe client.
type out struct {
	*visit
	way *httpx.Client
}

// Do puts another resource in the place of userinfo in the discovery document, when there is one.
func (v out) Do(req *http.Request) (*httpx.Response, error) {
	if v.done {
		return nil, httpx.ErrUnreachable
	}
	resp, err := v.way.Do(req)
	v.done = v.until != "" && strings.Contains(req.URL.Path, v.until)
	if err != nil {
		v.calls = append(v.calls, fmt.Sprintf("%s %s: %v", req.Method, req.URL.Path, err))
		return nil, err
	}
	v.calls = append(v.calls, fmt.Sprintf("%s %s: %d", req.Method, req.URL.Path, resp.Status))
	if v.resource == "" || !strings.HasSuffix(req.URL.Path, "/.well-known/openid-configuration") {
		return resp, nil
	}
	doc := map[string]any{}
	if err := json.Unmarshal(resp.Body, &doc); err != nil {
		return resp, nil
	}
	doc["userinfo_endpoint"] = v.resource
	if aliases, ok := doc["mtls_endpoint_aliases"].(map[string]any); ok {
		aliases["userinfo_endpoint"] = v.resource
	}
	resp.Body, err = json.Marshal(doc)
	return resp, err
}

// walk goes through one login with a browser of its own and says whether it ended in one.
func (v *visit) walk(ctx context.Context) (loggedIn bool, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return false, err
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: v.hub.suite.Pool}},
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if v.done && !v.ours(next.URL) {
				return http.ErrUseLastResponse
			}
			return nil
		}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.hub.origin+"/login/f1/"+region, nil)
	if err != nil {
		return false, err
	}
	before := v.logins
	resp, err := browser.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if at := resp.Request.URL; !v.ours(at) {
		return false, fmt.Errorf("the browser is stranded at %s with %d", at.Path, resp.StatusCode)
	}
	return v.logins > before, nil
}

func (v *visit) ours(u *url.URL) bool { return u.Scheme+"://"+u.Host == v.hub.origin }
