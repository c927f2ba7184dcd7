//go:build conformance

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/jose"
)

// In the plans for relying parties the suite is a province, and every module begins with somebody who wants to log in at some client of ours.
const (
	ourClient   = "hufu-relying-party"
	ourCallback = "https://rp.hufu.test/callback"
)

// joinSuite makes the suite a province of ours.
func (w *world) joinSuite(p plan, c *suite.Config) error {
	c.Server = suite.ServerConfig{}
	c.Client = &suite.ClientConfig{ID: p.alias(), Redirect: federation.CallbackURL(w.origin, province.Code(p.province)), Scope: "openid profile phone resident_id"}
	entry := map[string]any{"code": p.province, "issuer": w.suite.Base + "/test/a/" + p.alias() + "/", "client_id": p.alias(),
		"ceiling": "loa2", "levels": map[string]string{"PASSWORD": "loa2"}}
	if p.clients == relying {
		c.Client.Secret = rand.Text() + rand.Text()
		entry["auth_method"], entry["secret_file"] = "client_secret_basic", w.file(p.alias()+".secret")
		// The suite's provider of these plans is from before RFC 9207 and RFC 7636.
		entry["allow_missing_iss"], entry["allow_unlisted_pkce"] = true, true
		if err := w.write(p.alias()+".secret", []byte(c.Client.Secret)); err != nil {
			return err
		}
	} else {
		entry["profile"] = "fapi2"
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			return err
		}
		private, err := jose.MarshalPrivateJWK(key)
		if err != nil {
			return err
		}
		c.Server.JWKS = json.RawMessage(fmt.Sprintf(`{"keys":[%s]}`, private))
		c.Client.DPoP = string(jose.ES256)
	}
	w.entries = append(w.entries, entry)
	if w.hasClient(ourClient) {
		return nil
	}
	name := words{ZH: "试登录", EN: "Trying a login"}
	w.clients = append(w.clients, hufuClient{ID: ourClient, Name: name, Service: name, RedirectURIs: []string{ourCallback}, AuthMethod: "none",
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "profile"}})
	return nil
}

func (w *world) hasClient(id string) bool {
	for _, c := range w.clients {
		if c.ID == id {
			return true
		}
	}
	return false
}

// tellKeys gives the suite our public keys towards it, which exist only since the server runs.
func (w *world) tellKeys(ctx context.Context, p plan) error {
	if p.clients != relyingBank {
		return nil
	}
	set, err := w.get(ctx, strings.TrimPrefix(federation.KeysURL(w.origin, province.Code(p.province)), w.origin))
	w.configs[p.name].Client.JWKS = set
	return err
}

// get reads a public document of the server.
func (w *world) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.origin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: w.http, Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// login is the address of a request that starts a login at the client of ours.
func (w *world) login() suite.Address {
	q := url.Values{"client_id": {ourClient}, "redirect_uri": {ourCallback}, "response_type": {"code"}, "scope": {"openid profile"},
		"state": {rand.Text()}, "nonce": {rand.Text()}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	return suite.Address{URL: w.origin + "/authorize?" + q.Encode()}
}

// newProvider makes the server forget what it knows of the suite, as each module is another provider under the same name.
func (w *world) newProvider(ctx context.Context) error {
	if err := w.stop(); err != nil {
		return err
	}
	return w.serve(ctx)
}
