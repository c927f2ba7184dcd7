//go:build conformance

package conformance

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/hufu-id/hufu/oidc/resource"
)

// apiIdentifier is the API of the test as its clients name it (RFC 8707); where it listens is another matter.
const apiIdentifier = "https://api.hufu.test"

// TestOAuth4WebAPIShowsACertificate: npm oauth4webapi over undici, profile fapi2 with self_signed_tls_client_auth, at the listener of hufu serve for client
// certificates; and an API behind oidc/resource that asks for the same certificate.
func TestOAuth4WebAPIShowsACertificate(t *testing.T) {
	t.Parallel()
	mine, foreign, redirect := selfSigned(t, "client"), selfSigned(t, "another"), redirectURI(t)
	entries := func(t *testing.T, dir string) []map[string]any {
		file := filepath.Join(dir, "client.jwks")
		if err := os.WriteFile(file, keysOf(t, mine), 0o600); err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"zh": "测试单位", "en": "Tests"}
		return []map[string]any{{"id": "bank", "name": name, "service": name, "profile": "fapi2", "auth_method": "self_signed_tls_client_auth", "jwks_file": file,
			"redirect_uris": []string{redirect}, "post_logout_redirect_uris": []string{redirect}, "tls_client_certificate_bound_access_tokens": true,
			"grant_types": []string{"authorization_code", "refresh_token"}, "scopes": []string{"openid", "profile"}, "resources": []string{apiIdentifier}}}
	}
	serving(t, entries, func(t *testing.T, s *served) {
		sum := sha256.Sum256(mine.Certificate[0])
		script(t, "certificate.mjs", map[string]any{"issuer": s.origin, "mtls": s.mtls, "ca": s.ca, "client_id": "bank", "redirect_uri": redirect, "resource": apiIdentifier,
			"api": s.startAPI(resource.Need{Bound: true}, nil), "certificate": pemOf(t, mine), "foreign": pemOf(t, foreign), "thumbprint": base64.RawURLEncoding.EncodeToString(sum[:])}, s.newPerson().do)
	})
}

// startAPI starts an API that says what it learned of its caller, and returns its address. By itself it takes JWTs; asks lets it ask about opaque tokens.
func (s *served) startAPI(need resource.Need, asks *resource.Introspection) string {
	guard, err := resource.New(resource.Config{Issuer: s.origin, Audience: apiIdentifier, Need: need, Introspection: asks, HTTP: s.http})
	if err != nil {
		s.t.Fatal(err)
	}
	api := httptest.NewUnstartedServer(guard.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		_ = json.NewEncoder(w).Encode(map[string]string{"sub": token.Subject, "client_id": token.ClientID, "thumbprint": token.CertificateThumbprint})
	})))
	api.TLS = &tls.Config{Certificates: []tls.Certificate{s.certificate}, ClientAuth: tls.RequestClientCert}
	api.StartTLS()
	s.t.Cleanup(api.Close)
	_, port, _ := net.SplitHostPort(api.Listener.Addr().String())
	return "https://localhost:" + port
}

// keysOf is the key set of a client with a self-signed certificate (RFC 8705 section 2.2.2).
func keysOf(t *testing.T, c tls.Certificate) []byte {
	t.Helper()
	point, err := c.PrivateKey.(*ecdsa.PrivateKey).PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return mustJSON(t, map[string]any{"keys": []map[string]any{{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:]), "kid": "tls",
		"x5c": [][]byte{c.Certificate[0]}}}})
}

// pemOf is a certificate with its key, as programs of others take it.
func pemOf(t *testing.T, c tls.Certificate) map[string]string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		"key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))}
}
