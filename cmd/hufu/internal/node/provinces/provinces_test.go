package provinces

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
)

func good() Config {
	return Config{Code: "440000", Issuer: "https://p.example", ClientID: "national", Ceiling: "loa3", Levels: map[string]string{"1": "loa1"}}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certify gives the entry a client certificate.
func certify(t *testing.T, c *Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.CertificateFile = file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	c.KeyFile = file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
}

func otherKey(t *testing.T) string {
	var c Config
	certify(t, &c)
	return c.KeyFile
}

func TestEachEntryIsCheckedWithItsReason(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*Config)
		fault  string
	}{
		"as it is":          {func(*Config) {}, ""},
		"fapi2":             {func(c *Config) { c.Profile = "fapi2" }, ""},
		"a secret":          {func(c *Config) { c.AuthMethod, c.SecretFile = "client_secret_post", file(t, "0123456789abcdef\n") }, ""},
		"old province":      {func(c *Config) { c.AllowMissingIss, c.AllowUnlistedPKCE = true, true }, ""},
		"ceiling":           {func(c *Config) { c.Ceiling = "loa9" }, "loa1 to loa4"},
		"level":             {func(c *Config) { c.Levels["2"] = "high" }, "loa1 to loa4"},
		"profile":           {func(c *Config) { c.Profile = "fapi1" }, "neither core nor fapi2"},
		"method":            {func(c *Config) { c.AuthMethod = "client_secret_jwt" }, "not known"},
		"no secret":         {func(c *Config) { c.AuthMethod = "client_secret_basic" }, "a secret belongs"},
		"a secret too much": {func(c *Config) { c.SecretFile = file(t, "0123456789abcdef") }, "a secret belongs"},
		"short secret":      {func(c *Config) { c.AuthMethod, c.SecretFile = "client_secret_post", file(t, "0123456789abcde\n") }, "shorter than 16"},
		"empty secret":      {func(c *Config) { c.AuthMethod, c.SecretFile = "client_secret_post", file(t, "\n") }, "empty"},
		"no secret file":    {func(c *Config) { c.AuthMethod, c.SecretFile = "client_secret_post", "nowhere" }, "secret_file"},
		"fapi2 with a secret": {func(c *Config) {
			c.Profile, c.AuthMethod, c.SecretFile = "fapi2", "client_secret_post", file(t, "0123456789abcdef")
		}, "fapi2 wants"},
		"fapi2 without iss":         {func(c *Config) { c.Profile, c.AllowMissingIss = "fapi2", true }, "fapi2 wants"},
		"fapi2 with unlisted PKCE":  {func(c *Config) { c.Profile, c.AllowUnlistedPKCE = "fapi2", true }, "fapi2 wants"},
		"mtls":                      {func(c *Config) { c.Profile, c.Binding = "fapi2", "mtls"; certify(t, c) }, ""},
		"tls_client_auth":           {func(c *Config) { c.AuthMethod = "tls_client_auth"; certify(t, c) }, ""},
		"mtls without certificate":  {func(c *Config) { c.Binding = "mtls" }, "certificate_file"},
		"a certificate too much":    {func(c *Config) { certify(t, c) }, "certificate_file"},
		"certificate without key":   {func(c *Config) { c.Binding = "mtls"; certify(t, c); c.KeyFile = "" }, "certificate_file"},
		"another key":               {func(c *Config) { c.Binding = "mtls"; certify(t, c); c.KeyFile = otherKey(t) }, "private key"},
		"algorithms":                {func(c *Config) { c.Algs = []jose.Alg{"RS256"} }, ""},
		"no signature":              {func(c *Config) { c.Algs = []jose.Alg{"none"} }, "none that core takes"},
		"fapi2 with RS256":          {func(c *Config) { c.Profile, c.Algs = "fapi2", []jose.Alg{"RS256"} }, "none that fapi2 takes"},
		"binding":                   {func(c *Config) { c.Binding = "tls" }, "neither dpop nor mtls"},
		"I12 issuer without TLS":    {func(c *Config) { c.Issuer = "http://p.example" }, "no https URL"},
		"I02 no client id, no aud":  {func(c *Config) { c.ClientID = "" }, "client id"},
		"I02 no issuer":             {func(c *Config) { c.Issuer = "" }, "no https URL"},
		"no table of levels at all": {func(c *Config) { c.Levels = nil }, "levels"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			x.change(&c)
			var problems []string
			c.Check("https://id.example", func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) })
			all := strings.Join(problems, "; ")
			if x.fault == "" && all != "" || !strings.Contains(all, x.fault) {
				t.Errorf("%q", all)
			}
		})
	}
}

func TestMembersHaveTheirOwnKey(t *testing.T) {
	var asked []keys.Purpose
	ports := Ports{Origin: "https://id.example", HTTP: httpx.NewClient(httpx.ClientOptions{}),
		Signer: func(context.Context, keys.Purpose) (jose.SigningKey, error) {
			return jose.SigningKey{}, errors.New("unused")
		},
		JWKS: func(_ context.Context, p keys.Purpose) ([]jose.JWK, error) {
			asked = append(asked, p)
			return nil, nil
		}}
	other := good()
	other.Code = "110000"
	members, err := Members([]Config{good(), other}, ports)
	if err != nil || len(members) != 2 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	for _, m := range members {
		_, _ = m.Keys(t.Context())
	}
	if len(asked) != 2 || asked[0] == asked[1] || members[0].Ceiling.String() != "loa3" {
		t.Errorf("%v", asked)
	}
	other.Binding = "mtls"
	certify(t, &other)
	var shown []tls.Certificate
	ports.Certified = func(cert tls.Certificate) oidc.HTTP {
		shown = append(shown, cert)
		return ports.HTTP
	}
	if _, err := Members([]Config{good(), other}, ports); err != nil || len(shown) != 1 || shown[0].PrivateKey == nil {
		t.Errorf("client certificate: %v, %d", err, len(shown))
	}
	other.Profile = "fapi1"
	if _, err := Members([]Config{good(), other}, ports); err == nil || !strings.Contains(err.Error(), "110000") {
		t.Errorf("an entry that can't be used: %v", err)
	}
}
