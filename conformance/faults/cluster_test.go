//go:build conformance

package faults_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// eachEngine runs a test on both engines.
func eachEngine(t *testing.T, run func(t *testing.T, engine sqlstore.Engine)) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { run(t, engine) })
	}
}

// The world of the cluster, which knows nothing of `hufu dev`: a national server of two processes behind one name.
const (
	origin       = "https://id.hufu.test"
	host         = "id.hufu.test"
	provinceCode = "440000"
	rpID         = "relying-party"
	rpCallback   = "https://rp.hufu.test/callback"
	registerID   = "traffic-police-register"
	licenceType  = "driving-licence"
)

// credentialIssuer is the issuer identifier of the one authority.
const credentialIssuer = origin + "/i/" + sample.TrafficPoliceCode

// cluster is two nodes on one database, a province, and the clients that the tests play.
type cluster struct {
	t        *testing.T
	nodes    [2]*node
	db       *sqlstore.DB
	province *sample.Province
	http     *http.Client // the balancer, without redirects
	key      jose.SigningKey
	secret   string
	sealers  map[string]keyFile
}

// node is one `hufu serve`.
type node struct {
	url    string
	log    string
	cmd    *exec.Cmd
	done   chan error
	client *http.Client
}

func newCluster(t *testing.T, engine sqlstore.Engine) *cluster {
	t.Helper()
	c := &cluster{t: t, secret: strings.Repeat("0123456789abcdef", 4)}
	dir, dsn := t.TempDir(), sqltest.DSN(t, engine)
	addresses := [2]string{freeAddress(t), freeAddress(t)}
	for i, address := range addresses {
		c.nodes[i] = &node{url: "http://" + address, log: filepath.Join(dir, fmt.Sprintf("node%d.log", i)), done: make(chan error, 1),
			client: &http.Client{Timeout: 30 * time.Second, CheckRedirect: noRedirect,
				Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	}
	issuer, ca, pool := c.openProvince()
	c.http = &http.Client{Timeout: 30 * time.Second, CheckRedirect: noRedirect, Transport: newBalancer(c, pool)}
	write(t, filepath.Join(dir, "ca.pem"), ca)
	_, kek := keys.NewKEK()
	write(t, filepath.Join(dir, "kek"), kek)
	write(t, filepath.Join(dir, "secret"), c.secret)
	write(t, filepath.Join(dir, "register.jwks"), c.registerKey())
	c.writeSealers(dir)
	var configs [2]string
	for i, address := range addresses {
		configs[i] = filepath.Join(dir, fmt.Sprintf("node%d.yaml", i))
		write(t, configs[i], config(dir, dsn, address, issuer))
	}
	if r := apptest.Run(t, "migrate", "--config", configs[0]); r.Code != 0 {
		t.Fatalf("hufu migrate: %s%s", r.Stdout, r.Stderr)
	}
	c.db = sqltest.Open(t, dsn)
	// Both at once, on an empty database: they must agree on keys and certificates too.
	for i, n := range c.nodes {
		n.start(t, configs[i], filepath.Join(dir, "ca.pem"))
	}
	for _, n := range c.nodes {
		n.waitReady(t)
	}
	return c
}

// openProvince starts the sample province with TLS: serve takes no other. It trusts whoever comes twice with one code, so that
// the national server alone decides.
func (c *cluster) openProvince() (issuer, caPEM string, pool *x509.CertPool) {
	srv := httptest.NewUnstartedServer(nil)
	certificate, caPEM := selfSigned(c.t)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	issuer = "https://localhost:" + port
	world := sample.NewWorld()
	info, _ := world.Province(provinceCode)
	p, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: world.PeopleOf(provinceCode), BaseURL: issuer, ClientID: "national",
		RedirectURI: federation.CallbackURL(origin, province.Code(provinceCode)), JWKSURI: federation.KeysURL(origin, province.Code(provinceCode)),
		HTTP: &http.Client{Transport: lateBalancer{c}}})
	if err != nil {
		c.t.Fatal(err)
	}
	p.KeepCodes(true)
	c.province = p
	srv.Config.Handler = p
	srv.StartTLS()
	c.t.Cleanup(srv.Close)
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(caPEM))
	return issuer, caPEM, pool
}

// lateBalancer is the cluster's balancer for who is made before it.
type lateBalancer struct{ c *cluster }

func (l lateBalancer) RoundTrip(r *http.Request) (*http.Response, error) {
	return l.c.http.Transport.RoundTrip(r)
}

func (c *cluster) registerKey() string {
	var err error
	if c.key, err = jose.GenerateKey(jose.ES256); err != nil {
		c.t.Fatal(err)
	}
	public, err := c.key.Public()
	if err != nil {
		c.t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.JWK{public})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(set)
}

func config(dir, dsn, listen, provinceIssuer string) string {
	world := sample.NewWorld()
	info, _ := world.Province(provinceCode)
	var levels strings.Builder
	for word, level := range info.Levels {
		fmt.Fprintf(&levels, "      %q: %q\n", word, level)
	}
	return fmt.Sprintf(`origin: %q
listen: %q
database: %q
kek_file: %q
sandbox: true
allow_networks: ["127.0.0.0/8", "::1/128"]
provinces:
  - code: %q
    issuer: %q
    client_id: national
    ceiling: %q
    levels:
%sauthorities:
  - {code: %q, name_zh: 沙箱省公安厅交通管理局, name_en: Traffic Police, types: [driving-licence], region: "99"}
clients:
  - id: %q
    name: {zh: 测试单位, en: Tests}
    service: {zh: 测试, en: Tests}
    redirect_uris: [%q]
    auth_method: client_secret_basic
    secret_file: %q
    grant_types: [authorization_code]
    scopes: [openid, profile]
  - id: %q
    name: {zh: 交管局, en: Traffic Police}
    service: {zh: 登记, en: Register}
    organisation: %q
    auth_method: private_key_jwt
    jwks_file: %q
    grant_types: [client_credentials]
    scopes: [register]
%s`, origin, listen, dsn, filepath.Join(dir, "kek"), provinceCode, provinceIssuer, info.Ceiling, levels.String(), sample.TrafficPoliceCode,
		rpID, rpCallback, filepath.Join(dir, "secret"), registerID, sample.TrafficPoliceCode, filepath.Join(dir, "register.jwks"), sealConfig(dir))
}

func (n *node) start(t *testing.T, config, ca string) {
	t.Helper()
	log, err := os.Create(n.log)
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command(apptest.Binary(t), "serve", "--config", config)
	n.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	apptest.DieWithParent(n.cmd)
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { n.done <- n.cmd.Wait(); _ = log.Close() }()
	t.Cleanup(func() {
		select {
		case err := <-n.done:
			t.Errorf("a node ended by itself: %v\n%s", err, n.tail())
			return
		default:
		}
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-n.done:
			if err != nil {
				t.Errorf("a node stopped badly: %v\n%s", err, n.tail())
			}
		case <-time.After(15 * time.Second):
			_ = n.cmd.Process.Kill()
			t.Errorf("a node did not stop\n%s", n.tail())
		}
	})
}

func (n *node) waitReady(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := n.client.Get(n.url + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("a node did not start\n%s", n.tail())
}

// tail returns the errors among the last lines of the node's log.
func (n *node) tail() string {
	raw, _ := os.ReadFile(n.log)
	var out []string
	for _, line := range strings.Split(string(raw), "\n") {
		if !strings.Contains(line, `"level":"INFO"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out[max(0, len(out)-15):], "\n")
}

// balancer sends requests for the origin to the nodes in turn, and others where they go.
type balancer struct {
	c      *cluster
	turn   atomic.Int64
	others http.RoundTripper
}

func newBalancer(c *cluster, pool *x509.CertPool) *balancer {
	return &balancer{c: c, others: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 16}}
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != host {
		return b.others.RoundTrip(r)
	}
	n := b.c.nodes[b.turn.Add(1)%2]
	to := r.Clone(r.Context())
	to.URL.Scheme, to.URL.Host, to.Host = "http", strings.TrimPrefix(n.url, "http://"), host
	res, err := n.client.Transport.RoundTrip(to)
	if res != nil {
		res.Request = r
	}
	return res, err
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned returns a certificate for localhost that is its own authority.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Key.Public(), key.Key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// count reads one number from the database.
func count(t *testing.T, db *sqlstore.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
