package listen_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/listen"
)

// pemOf makes a self-signed certificate.
func pemOf(t *testing.T, ca bool) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func file(t *testing.T, text string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// Each case differs from the good listener in one thing.
func TestCheckTellsEveryProblem(t *testing.T) {
	ca := pemOf(t, true)
	for name, c := range map[string]struct {
		change func(m *listen.MTLS)
		fault  string
	}{
		"good":              {func(*listen.MTLS) {}, ""},
		"default address":   {func(m *listen.MTLS) { m.Listen = "" }, ""},
		"no authorities":    {func(m *listen.MTLS) { m.ClientCAFiles = nil }, ""},
		"two in a file":     {func(m *listen.MTLS) { m.ClientCAFiles = []string{file(t, ca+pemOf(t, true))} }, ""},
		"no key":            {func(m *listen.MTLS) { m.KeyFile = "" }, "key_file"},
		"no certificate":    {func(m *listen.MTLS) { m.CertFile = "" }, "cert_file"},
		"http":              {func(m *listen.MTLS) { m.Origin = "http://mtls.id.example" }, "origin"},
		"origin with slash": {func(m *listen.MTLS) { m.Origin += "/" }, "origin"},
		"no origin":         {func(m *listen.MTLS) { m.Origin = "" }, "origin"},
		"the same origin":   {func(m *listen.MTLS) { m.Origin = "https://id.example" }, "server's own"},
		"the same address":  {func(m *listen.MTLS) { m.Listen = "127.0.0.1:8080" }, "taken"},
		"missing file":      {func(m *listen.MTLS) { m.ClientCAFiles = []string{"/nowhere.pem"} }, "client_ca_files"},
		"empty file":        {func(m *listen.MTLS) { m.ClientCAFiles = []string{file(t, "")} }, "no certificate"},
		"no authority":      {func(m *listen.MTLS) { m.ClientCAFiles = []string{file(t, pemOf(t, false))} }, "certification authority"},
		"a key in the file": {func(m *listen.MTLS) {
			m.ClientCAFiles = []string{file(t, ca+"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}
		}, "no certificate"},
		"a broken one": {func(m *listen.MTLS) {
			m.ClientCAFiles = []string{file(t, ca+"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}
		}, "no certificate"},
	} {
		m := &listen.MTLS{Listen: "127.0.0.1:8443", Origin: "https://mtls.id.example", Files: listen.Files{CertFile: "c", KeyFile: "k"}, ClientCAFiles: []string{file(t, ca)}}
		c.change(m)
		var problems []string
		listen.Check("127.0.0.1:8080", "https://id.example", nil, m, func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) })
		if all := strings.Join(problems, "\n"); c.fault == "" && all != "" || !strings.Contains(all, c.fault) || len(problems) > 1 {
			t.Errorf("%s: %q", name, all)
		}
	}
}

func TestNoListenerHasNoOriginAndNoAuthorities(t *testing.T) {
	var m *listen.MTLS
	if pool, err := m.ClientCAs(); pool != nil || err != nil || m.PublicOrigin() != "" {
		t.Error(pool, err)
	}
	m = &listen.MTLS{Origin: "https://mtls.id.example", ClientCAFiles: []string{file(t, pemOf(t, true))}}
	if pool, err := m.ClientCAs(); pool == nil || err != nil || m.PublicOrigin() != m.Origin {
		t.Error(pool, err)
	}
}
