package sample

import (
	"crypto/rand"
	"net/http"

	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/resource"
)

// APIURL identifies the API of a department at base URL: what a client names as resource (RFC 8707), and the audience of tokens for it.
func APIURL(baseURL string) string { return baseURL + "/api" }

// api is the department as a resource server, for clients of other organisations: GET /api/caller tells what it learned of who asks, GET /api/high
// wants a login of the highest level. It takes tokens bound to a key only, and every proof needs a nonce.
func (d *Department) api(m *http.ServeMux) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	guard, err := resource.New(resource.Config{Issuer: d.cfg.Issuer, Audience: APIURL(d.cfg.BaseURL), BaseURL: d.cfg.BaseURL, Need: resource.Need{Bound: true},
		Nonces: dpop.NewNonces(secret), HTTP: d.cfg.HTTP, Now: d.cfg.Now, Log: d.cfg.Log})
	if err != nil {
		return err
	}
	caller := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := resource.FromContext(r.Context())
		writeJSON(w, http.StatusOK, map[string]any{"sub": t.Subject, "client_id": t.ClientID, "scopes": t.Scopes, "acr": t.ACR, "jkt": t.JKT})
	})
	m.Handle("GET /api/caller", guard.Protect(caller))
	m.Handle("GET /api/high", guard.For(resource.Need{Bound: true, ACR: []string{"loa4"}}).Protect(caller))
	return nil
}
