//go:build conformance

package conformance

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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

// served is `hufu serve` as in production: TLS, a listener for client certificates, one province, clients of a configuration file.
type served struct {
	t            *testing.T
	dir          string
	origin, mtls string
	certificate  tls.Certificate
	ca           string // its PEM
	http         *http.Client
	person       apptest.Person
}

// serving starts one on each engine. clients are entries of the configuration, which may name files that they write into the folder.
func serving(t *testing.T, clients func(t *testing.T, dir string) []map[string]any, run func(t *testing.T, s *served)) {
	t.Helper()
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			s := &served{t: t, dir: t.TempDir(), origin: "https://" + localAddress(t), mtls: "https://" + localAddress(t)}
			config := s.config(sqltest.DSN(t, engine))
			config["clients"] = clients(t, s.dir)
			s.write("hufu.yaml", mustJSON(t, config)) // JSON is YAML too
			if r := apptest.Run(t, "migrate", "--config", s.file("hufu.yaml")); r.Code != 0 {
				t.Fatalf("hufu migrate: %s%s", r.Stdout, r.Stderr)
			}
			s.start()
			run(t, s)
		})
	}
}

func (s *served) file(name string) string { return filepath.Join(s.dir, name) }

func (s *served) write(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// config opens the province and describes the server, which has one certificate for both listeners.
func (s *served) config(dsn string) map[string]any {
	s.certificate = selfSigned(s.t, "localhost")
	text := pemOf(s.t, s.certificate)
	s.ca = text["cert"]
	s.write("tls.pem", []byte(s.ca))
	s.write("tls.key", []byte(text["key"]))
	_, kek := keys.NewKEK()
	s.write("kek", []byte(kek))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.ca))
	s.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	files := map[string]string{"cert_file": s.file("tls.pem"), "key_file": s.file("tls.key")}
	return map[string]any{"origin": s.origin, "listen": s.origin[len("https://"):], "database": dsn, "kek_file": s.file("kek"), "sandbox": true, "tls": files,
		"mtls":           map[string]string{"listen": s.mtls[len("https://"):], "origin": s.mtls, "cert_file": files["cert_file"], "key_file": files["key_file"]},
		"allow_networks": []string{"127.0.0.0/8", "::1/128"}, // the province and the clients are on this machine
		"provinces":      []map[string]any{s.openProvince()}}
}

// openProvince starts a sample province and returns its entry in the configuration.
func (s *served) openProvince() map[string]any {
	world := sample.NewWorld()
	who, _ := world.Person("li-xiuying")
	s.person = apptest.Person{Slug: who.Slug, Name: who.Name, Province: who.Province}
	info, _ := world.Province(who.Province)
	srv := httptest.NewUnstartedServer(nil)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{s.certificate}}
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	issuer, code := "https://localhost:"+port, province.Code(info.Code)
	h, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: world.PeopleOf(info.Code), BaseURL: issuer, ClientID: "national",
		RedirectURI: federation.CallbackURL(s.origin, code), JWKSURI: federation.KeysURL(s.origin, code), HTTP: s.http})
	if err != nil {
		s.t.Fatal(err)
	}
	srv.Config.Handler = h
	srv.StartTLS()
	s.t.Cleanup(srv.Close)
	levels := map[string]string{}
	for word, level := range info.Levels {
		levels[word] = level.String()
	}
	return map[string]any{"code": info.Code, "issuer": issuer, "client_id": "national", "ceiling": info.Ceiling.String(), "levels": levels}
}

func (s *served) start() {
	s.t.Helper()
	log, err := os.Create(s.file("serve.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(apptest.Binary(s.t), "serve", "--config", s.file("hufu.yaml"))
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.file("tls.pem"))
	cmd.Stderr = log
	apptest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("hufu serve ended badly: %v\n%s", err, s.log())
		}
		_ = log.Close()
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := s.http.Get(s.origin + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
	}
	s.t.Fatalf("hufu serve did not start\n%s", s.log())
}

// log is the end of what the server logged.
func (s *served) log() string {
	raw, _ := os.ReadFile(s.file("serve.log"))
	return string(raw[max(0, len(raw)-3000):])
}

// newPerson is a person at a browser that knows this server's certificate.
func (s *served) newPerson() *player {
	b := apptest.NewBrowser(s.t)
	b.Use(s.http.Transport)
	return &player{t: s.t, browser: b, known: func(string) apptest.Person { return s.person }}
}

// localAddress is "localhost" with a free port.
func localAddress(t *testing.T) string {
	t.Helper()
	port, err := apptest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("localhost:%d", port)
}

// selfSigned returns a certificate that is its own authority, for a server or a client of this name.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Key.Public(), key.Key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Key}
}
