package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/keys"
)

// certificate writes a self-signed pair for localhost and returns the files.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hufu runs a command as if typed.
func hufu(t *testing.T, ctx context.Context, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(ctx, args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func serveConfig(t *testing.T) (file, addr string, pool *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir)
	_, kek := keys.NewKEK()
	write(t, filepath.Join(dir, "kek"), []byte(kek))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	file = filepath.Join(dir, "hufu.yaml")
	write(t, file, fmt.Appendf(nil, "origin: https://localhost:%s\nlisten: %s\ntls: {cert_file: %s, key_file: %s}\ndatabase: sqlite:%s\nkek_file: %s\n"+
		"authorities:\n  - {code: 1199440000TRY002X9, name_zh: 沙箱, name_en: Sandbox, types: [driving-licence]}\n",
		port, addr, cert, key, filepath.Join(dir, "hufu.db"), filepath.Join(dir, "kek")))
	return file, addr, pool
}

// waitTLS waits until the server answers a handshake.
func waitTLS(t *testing.T, addr string, pool *x509.CertPool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not listening: %v", err)
		}
	}
}

// databaseOf reads the database's name back from a configuration file.
func databaseOf(t *testing.T, file string) string {
	t.Helper()
	cfg, err := node.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Database
}

func TestServeRefusesAnUnmigratedDatabaseAndStartsAfterMigrate(t *testing.T) {
	file, addr, pool := serveConfig(t)
	if code, _, errOut := hufu(t, t.Context(), "serve", "--config", file); code != 1 || !strings.Contains(errOut, "hufu migrate") {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	if code, _, errOut := hufu(t, t.Context(), "config", "check", "--config", file); code != 0 {
		t.Fatalf("config check: %s", errOut)
	}
	if code, out, errOut := hufu(t, t.Context(), "migrate", "--config", file); code != 0 || !strings.Contains(out, "up to date") {
		t.Fatalf("migrate: %s", errOut)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan string, 1)
	go func() {
		code, _, errOut := hufu(t, ctx, "serve", "--config", file)
		done <- fmt.Sprintf("%d %s", code, errOut)
	}()
	// X02: what is spoken on the wire, by real handshakes.
	dial := func(version uint16, suites ...uint16) error {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version, CipherSuites: suites})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	waitTLS(t, addr, pool)
	if err := dial(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256); err != nil {
		t.Errorf("X02: TLS 1.2 with an AEAD suite: %v", err)
	}
	for name, err := range map[string]error{
		"TLS 1.0": dial(tls.VersionTLS10), "TLS 1.1": dial(tls.VersionTLS11),
		"TLS 1.2 with CBC": dial(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA),
	} {
		if err == nil {
			t.Errorf("X02: %s was accepted", name)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	res, err := client.Get("https://localhost" + addr[strings.LastIndex(addr, ":"):] + "/.well-known/openid-configuration")
	if err != nil || res.StatusCode != 200 || !strings.Contains(res.Header.Get("Strict-Transport-Security"), "max-age") {
		t.Fatalf("discovery over TLS: %v %v", res, err)
	}
	_ = res.Body.Close()
	client.CloseIdleConnections()
	stop()
	if said := <-done; !strings.HasPrefix(said, "0 ") {
		t.Fatalf("serve ended with %s", said)
	}
}

func TestConfigCheckReportsEveryProblemAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hufu.yaml")
	write(t, file, []byte("origin: http://id.example/\nprovinces: [{code: '440000', ceiling: loa9}]\nauthorities: [{code: X}]\n"))
	code, _, errOut := hufu(t, t.Context(), "config", "check", "--config", file)
	if code != 1 {
		t.Fatalf("exit code %d", code)
	}
	for _, part := range []string{"origin:", "database:", "kek_file:", "loa9", `"X"`} {
		if !strings.Contains(errOut, part) {
			t.Errorf("%q is missing in:\n%s", part, errOut)
		}
	}
	write(t, file, []byte("orign: https://id.example\n"))
	if code, _, errOut := hufu(t, t.Context(), "config", "check", "--config", file); code != 1 || !strings.Contains(errOut, "orign") {
		t.Fatalf("an unknown key: exit code %d: %s", code, errOut)
	}
}
