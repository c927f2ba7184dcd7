package httpx_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
)

// certificate makes a self-signed certificate for localhost, and writes it.
func certificate(t *testing.T, name string, key crypto.Signer) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), name+".pem"), filepath.Join(t.TempDir(), name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type serveFunc func(ctx context.Context, l net.Listener, h http.Handler, certFile, keyFile string) error

// start serves a handler that says how many certificates it saw, and returns its address.
func start(t *testing.T, serve serveFunc, certFile, keyFile string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%d certificates, resumed %v", len(httpx.ClientCertificates(r)), r.TLS.DidResume)
		}), certFile, keyFile)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// Real handshakes on both kinds of listener, with both kinds of certificate.
func TestX02OnlyGoodTLSIsSpoken(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for kind, serve := range map[string]serveFunc{"plain": httpx.Serve, "mTLS": httpx.ServeMTLS} {
		for name, key := range map[string]crypto.Signer{"ECDSA": ecKey(t), "RSA": rsaKey} {
			cert, certFile, keyFile := certificate(t, "server", key)
			addr := start(t, serve, certFile, keyFile)
			pool := x509.NewCertPool()
			parsed, _ := x509.ParseCertificate(cert.Certificate[0])
			pool.AddCert(parsed)
			for _, c := range handshakes {
				if c.key != "" && c.key != name {
					continue
				}
				t.Run("X02 "+kind+" "+name+" "+c.name, func(t *testing.T) {
					conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: c.version, MaxVersion: c.version, CipherSuites: c.suites})
					if c.ok != (err == nil) {
						t.Errorf("%v", err)
					}
					if err == nil {
						_ = conn.Close()
					}
				})
			}
		}
	}
}

var handshakes = []struct {
	name, key string
	version   uint16
	suites    []uint16
	ok        bool
}{
	{"TLS 1.3", "", tls.VersionTLS13, nil, true},
	{"TLS 1.2", "", tls.VersionTLS12, nil, true},
	{"TLS 1.1", "", tls.VersionTLS11, nil, false},
	{"TLS 1.0", "", tls.VersionTLS10, nil, false},
	{"AES128-GCM", "ECDSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, true},
	{"AES256-GCM", "ECDSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, true},
	{"ChaCha20", "ECDSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, false},
	{"CBC", "ECDSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, false},
	{"AES128-GCM", "RSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, true},
	{"AES256-GCM", "RSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, true},
	{"ChaCha20", "RSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}, false},
	{"CBC", "RSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}, false},
	{"3DES", "RSA", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}, false},
	{"no forward secrecy", "RSA", tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}, false},
}

// ask sends one request on a connection of its own.
func ask(t *testing.T, addr string, conf *tls.Config, header ...string) string {
	t.Helper()
	conf.InsecureSkipVerify = true // the server is ours; the test is about the client's certificate
	tr := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
	req, err := http.NewRequest(http.MethodGet, "https://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCertificatesComeFromTheHandshakeOnly(t *testing.T) {
	_, certFile, keyFile := certificate(t, "server", ecKey(t))
	mine, mineFile, _ := certificate(t, "client", ecKey(t))
	text, err := os.ReadFile(mineFile)
	if err != nil {
		t.Fatal(err)
	}
	one := strings.ReplaceAll(string(text), "\n", "%0A")
	plain, mtls := start(t, httpx.Serve, certFile, keyFile), start(t, httpx.ServeMTLS, certFile, keyFile)
	with := func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{mine}} }
	for name, got := range map[string]string{
		"D11 twin: in the handshake":    ask(t, mtls, with()),
		"D11 listener that doesn't ask": ask(t, plain, with()),
		"D11 no certificate":            ask(t, mtls, &tls.Config{}),
		"D11 headers of proxies": ask(t, mtls, &tls.Config{}, "X-SSL-Client-Cert", one, "X_Ssl_Client_Cert", one, "X-Client-Cert", one, "Ssl-Client-Cert", one,
			"X-Forwarded-Client-Cert", "Cert=\""+one+"\"", "Client-Cert", ":"+one+":", "X-Forwarded-Tls-Client-Cert", one, "X-SSL-Client-Verify", "SUCCESS",
			"X-Forwarded-Proto", "https", "X-Forwarded-For", "127.0.0.1"),
	} {
		want := "0 certificates"
		if strings.Contains(name, "twin") {
			want = "1 certificates"
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	// The key must be there, not only the certificate.
	other, _, _ := certificate(t, "other", ecKey(t))
	stolen := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: mine.Certificate, PrivateKey: other.PrivateKey}}}
	if resp, err := (&http.Transport{TLSClientConfig: stolen, DisableKeepAlives: true}).RoundTrip(request(t, "https://"+mtls+"/")); err == nil {
		_ = resp.Body.Close()
		t.Error("a certificate was taken without its key")
	}
}

func request(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestX03SessionsWithCertificatesAreNotResumed(t *testing.T) {
	_, certFile, keyFile := certificate(t, "server", ecKey(t))
	mine, _, _ := certificate(t, "client", ecKey(t))
	for _, c := range []struct {
		name  string
		serve serveFunc
		want  string // of the second connection
	}{
		{"X03 mTLS listener", httpx.ServeMTLS, "1 certificates, resumed false"},
		{"X03 twin: the other one", httpx.Serve, "0 certificates, resumed true"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			addr := start(t, c.serve, certFile, keyFile)
			conf := &tls.Config{Certificates: []tls.Certificate{mine}, ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: version, MaxVersion: version}
			first := ask(t, addr, conf)
			if got := ask(t, addr, conf); got != c.want || !strings.HasSuffix(first, "resumed false") {
				t.Errorf("%s, version %x: %s, then %s", c.name, version, first, got)
			}
		}
	}
}

func TestServeMTLSNeedsACertificate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := httpx.ServeMTLS(t.Context(), l, http.NotFoundHandler(), "", ""); err == nil {
		t.Error("it served without TLS")
	}
}
