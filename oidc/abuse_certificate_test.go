package oidc_test

import (
	"context"
	"crypto"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// tlsNode is a node's listener for clients with certificates.
type tlsNode struct {
	*env
	server *httptest.Server
	roots  *x509.CertPool
	ca     tls.Certificate
}

func newTLSNode(e *env) *tlsNode {
	n := &tlsNode{env: e, roots: x509.NewCertPool()}
	n.ca = n.certificate("an authority", nil, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	n.roots.AddCert(n.ca.Leaf)
	n.server = httptest.NewUnstartedServer(nil)
	_, _, handler := e.provider(func(c *oidc.Config) {
		c.MTLSOrigin, c.ClientCAs = "https://"+n.server.Listener.Addr().String(), n.roots
	})
	n.server.Config.Handler = httpx.Wrap(handler, httpx.Options{})
	n.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	n.server.StartTLS()
	e.t.Cleanup(n.server.Close)
	return n
}

// certificate makes one; a nil issuer signs itself.
func (n *tlsNode) certificate(name string, issuer *tls.Certificate, change ...func(*x509.Certificate)) tls.Certificate {
	n.t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	must(n.t, err)
	signer := key.Key
	now := n.clock.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true}
	for _, f := range change {
		f(tmpl)
	}
	parent, by := tmpl, signer
	if issuer != nil {
		parent, by = issuer.Leaf, issuer.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(crand.Reader, tmpl, parent, signer.Public(), by)
	must(n.t, err)
	leaf, err := x509.ParseCertificate(der)
	must(n.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer, Leaf: leaf}
}

// with calls the listener with a certificate, nil for none.
func (n *tlsNode) with(cert *tls.Certificate, method, path string, form url.Values, header ...string) reply {
	n.t.Helper()
	conf := &tls.Config{InsecureSkipVerify: true}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	transport := &http.Transport{TLSClientConfig: conf}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(method, n.server.URL+path, strings.NewReader(form.Encode()))
	must(n.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := transport.RoundTrip(req)
	must(n.t, err)
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header, body: map[string]any{}}
	_ = json.NewDecoder(resp.Body).Decode(&out.body)
	return out
}

// register registers a client of certificates: by its own key, or by a name under the authority.
func (n *tlsNode) register(id string, own *tls.Certificate, change ...func(*oidc.Client)) {
	n.t.Helper()
	newFAPI(n.env, id, append([]func(*oidc.Client){func(c *oidc.Client) {
		c.DPoPBound, c.TLSBound, c.AuthMethod, c.JWKS = false, true, client.TLS, nil
		if own == nil {
			c.TLSSANDNS = id + ".example"
			return
		}
		key, err := jose.FromPublic(own.Leaf.PublicKey, "", jose.ES256)
		must(n.t, err)
		c.AuthMethod, c.JWKS = client.SelfSignedTLS, []jose.JWK{key}
	}}, change...)...)
}

func dnsName(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = []string{name} }
}

// A client of certificates shows the right one in the handshake, or is nobody: what headers say doesn't count, nor what another connection showed.
func TestD11CertificatesComeFromTheHandshake(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	n := newTLSNode(e)
	self, foreign := n.certificate("self", nil), n.certificate("self", nil)
	named := n.certificate("named", &n.ca, dnsName("named.example"))
	otherName := n.certificate("named", &n.ca, dnsName("other.example"))
	selfNamed := n.certificate("named", nil, dnsName("named.example"))
	server := n.certificate("named", &n.ca, dnsName("named.example"), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	old := n.certificate("named", &n.ca, dnsName("named.example"), func(c *x509.Certificate) { c.NotAfter = e.clock.Now().Add(-time.Minute) })
	n.register("self", &self)
	n.register("named", nil)
	for _, c := range []struct {
		name, client string
		cert         *tls.Certificate
		want         int
	}{
		{"twin: its own", "self", &self, 201}, {"D11 none", "self", nil, 401}, {"D11 another key", "self", &foreign, 401}, {"D11 another client's", "self", &named, 401},
		{"twin: its name", "named", &named, 201}, {"D11 none", "named", nil, 401}, {"D11 another name", "named", &otherName, 401}, {"D11 self-signed", "named", &selfNamed, 401},
		{"D11 a server's", "named", &server, 401}, {"D11 expired", "named", &old, 401},
	} {
		r := n.with(c.cert, http.MethodPost, "/par", request(c.client))
		if r.status != c.want || c.want == 401 && r.body["error"] != "invalid_client" {
			t.Errorf("%s: %d %v", c.name, r.status, r.body)
		}
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: self.Leaf.Raw}))
	for _, name := range []string{"X-SSL-Client-Cert", "X_Ssl_Client_Cert", "X-Forwarded-Client-Cert", "X-Client-Cert", "Ssl-Client-Cert", "Client-Cert", "X-SSL-Client-Verify", "X-Forwarded-Tls-Client-Cert"} {
		for _, value := range []string{url.QueryEscape(text), strings.ReplaceAll(text, "\n", " "), "SUCCESS"} {
			if r := n.with(nil, http.MethodPost, "/par", request("self"), name, value); r.status != 401 {
				t.Errorf("D11 %s over TLS: %d %v", name, r.status, r.body)
			}
			if r := (&fapi{env: e}).send(http.MethodPost, "/par", request("self"), name, value); r.status != 401 {
				t.Errorf("D11 %s in the clear: %d %v", name, r.status, r.body)
			}
		}
	}
}

// A token that is bound to a certificate is good on a connection with that certificate only (RFC 8705 section 3).
func TestD13CertificateBoundTokens(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		n := newTLSNode(e)
		own, foreign := n.certificate("self", nil), n.certificate("other", nil)
		n.register("self", &own)
		n.register("other", &foreign)
		login := func(id string, cert *tls.Certificate) string {
			pushed := n.with(cert, http.MethodPost, "/par", request(id))
			if pushed.status != 201 {
				t.Fatalf("push: %d %v", pushed.status, pushed.body)
			}
			return e.browser().login(url.Values{"client_id": {id}, "request_uri": {pushed.body["request_uri"].(string)}}).location.Query().Get("code")
		}
		code := login("self", &own)
		if r := n.with(&foreign, http.MethodPost, "/token", redeem(login("self", &own), "client_id", "other")); r.status != 400 || r.body["error"] != "invalid_grant" {
			t.Errorf("B05 a code of another certificate's client: %d %v", r.status, r.body)
		}
		tok := n.with(&own, http.MethodPost, "/token", redeem(code, "client_id", "self"))
		access, _ := tok.body["access_token"].(string)
		if tok.status != 200 || tok.body["token_type"] != "Bearer" {
			t.Fatalf("token: %d %v", tok.status, tok.body)
		}
		bearer := []string{"Authorization", "Bearer " + access}
		if r := n.with(&own, http.MethodGet, "/userinfo", nil, bearer...); r.status != 200 || r.body["sub"] == nil {
			t.Errorf("twin: %d %v", r.status, r.body)
		}
		f := e.prover()
		for name, r := range map[string]reply{
			"another certificate": n.with(&foreign, http.MethodGet, "/userinfo", nil, bearer...), "none": n.with(nil, http.MethodGet, "/userinfo", nil, bearer...),
			"in the clear": f.send(http.MethodGet, "/userinfo", nil, bearer...), "in a body": n.with(&foreign, http.MethodPost, "/userinfo", url.Values{"access_token": {access}}),
			"with a DPoP proof": n.with(nil, http.MethodGet, "/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", f.proof("GET", e.issuer+"/userinfo", access)),
		} {
			if r.status != 401 || r.body["error"] != "invalid_token" {
				t.Errorf("D13 %s: %d %v", name, r.status, r.body)
			}
		}
		if _, err := e.op.ValidateAccessToken(context.Background(), access, e.issuer); err == nil {
			t.Error("D13 a bound token is good without its connection")
		}
	})
}

// TestAliasesAnswerAsTheIssuerDoes: a client without a certificate, bound by DPoP, goes to either origin, and what it gets names the issuer. A proof
// for one origin is good at both, which are one server; one for another endpoint is good at none.
func TestAliasesAnswerAsTheIssuerDoes(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	n := newTLSNode(e)
	f := newFAPI(e, "bank")
	f.warm()
	for name, c := range map[string]struct {
		htu  string
		want int
	}{"twin: the alias": {n.server.URL + "/token", 200}, "twin: the issuer": {e.issuer + "/token", 200}, "D13 another endpoint": {n.server.URL + "/par", 400}} {
		code := e.browser().login(f.pushed(request("bank"))).location.Query().Get("code")
		got := n.with(nil, http.MethodPost, "/token", f.authenticated(redeem(code)), "DPoP", f.proof("POST", c.htu, ""))
		if got.status != c.want {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
		if c.want != 200 {
			continue
		}
		if iss := claimsOf(t, got.body["id_token"].(string))["iss"]; iss != e.issuer {
			t.Errorf("%s: iss %v", name, iss)
		}
		access := got.body["access_token"].(string)
		if r := n.with(nil, http.MethodGet, "/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", f.proof("GET", n.server.URL+"/userinfo", access)); r.status != 200 {
			t.Errorf("%s: userinfo %d %v", name, r.status, r.body)
		}
	}
}

// A proof is good once, on all nodes together.
func TestD13ProofsAreUsedOnceOnTwoNodes(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		m := newMatrix(t, e)
		access := m.tokens(true).text("access_token")
		use := func(node int, proof string) reply {
			return m.sendTo(node, "/userinfo", url.Values{}, "Authorization", "DPoP "+access, "DPoP", proof)
		}
		for range 5 {
			proof := m.proof("POST", e.issuer+"/userinfo", access)
			wins := race(20, func(i int) bool {
				r := use(i%2, proof)
				if r.status != 200 && (r.status != 401 || r.body["error"] != "invalid_dpop_proof") {
					t.Errorf("D13 a loser got %d %v", r.status, r.body)
				}
				return r.status == 200
			})
			if wins != 1 {
				t.Errorf("D13 one proof was good %d times", wins)
			}
		}
		// At the token endpoint a replay costs nothing but the request.
		proof, code := m.proof("POST", e.issuer+"/token", ""), m.code()
		for node, want := range []int{200, 400} {
			if r := m.sendTo(node, "/token", m.authenticated(redeem(m.code())), "DPoP", proof); r.status != want || want == 400 && r.body["error"] != "invalid_dpop_proof" {
				t.Errorf("D13 at node %d: %d %v", node, r.status, r.body)
			}
		}
		if r := m.sendTo(1, "/token", m.authenticated(redeem(code)), "DPoP", m.proof("POST", e.issuer+"/token", "")); r.status != 200 {
			t.Errorf("twin: %d %v", r.status, r.body)
		}
	})
}
