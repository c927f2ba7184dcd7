//go:build conformance

package main

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/conformance/oidf/certs"
	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/conformance/oidf/vci"
	"github.com/hufu-id/hufu/internal/jose"
)

// words is a text for people in two languages, as the configuration has it.
type words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// hufuClient is an entry under clients in our configuration. JSON is YAML too.
type hufuClient struct {
	ID           string   `json:"id"`
	Name         words    `json:"name"`
	Service      words    `json:"service"`
	RedirectURIs []string `json:"redirect_uris"`
	AfterLogout  []string `json:"post_logout_redirect_uris,omitempty"`
	AuthMethod   string   `json:"auth_method"`
	SecretFile   string   `json:"secret_file,omitempty"`
	JWKSFile     string   `json:"jwks_file,omitempty"`
	GrantTypes   []string `json:"grant_types"`
	Scopes       []string `json:"scopes"`
	Profile      string   `json:"profile,omitempty"`
	SANDNS       string   `json:"tls_client_auth_san_dns,omitempty"`
	Signed       bool     `json:"require_signed_request_object,omitempty"`
	Provider     string   `json:"wallet_provider,omitempty"`
}

// scopes are what static clients may ask for.
var scopes = []string{"openid", "profile", "phone", "offline_access"}

// register makes the clients of a plan: entries for our configuration with their files, and the suite's side of them in p.config.
func (w *world) register(p plan) error {
	c := &suite.Config{Alias: p.alias(), Description: "hufu " + p.name,
		Server: suite.ServerConfig{DiscoveryURL: w.origin + "/.well-known/openid-configuration", LoginHint: "somebody@hufu.test", ACRValues: "loa3"}}
	w.configs[p.name] = c
	var err error
	switch p.clients {
	case noClients:
	case dynamic:
		c.Client, c.Client2 = &suite.ClientConfig{Name: "First client of the suite"}, &suite.ClientConfig{Name: "Second client of the suite"}
	case secrets:
		if c.Client, err = w.secretClient(p, "1", "client_secret_basic"); err != nil {
			return err
		}
		if c.Client2, err = w.secretClient(p, "2", "client_secret_basic"); err != nil {
			return err
		}
		c.ClientPost, err = w.secretClient(p, "post", "client_secret_post")
	case wallets:
		return w.walletClients(vci.Named(p.name), p, c)
	case privateKeys, signedMessage, certificates:
		c.Resource = &suite.ResourceConfig{URL: w.origin + "/userinfo", Method: http.MethodGet}
		if p.clients == certificates {
			c.Resource.URL = w.mtls.origin + "/userinfo"
			return w.certificateClients(p, c)
		}
		if c.Client, err = w.keyClient(p, w.entry(p, "1", "private_key_jwt")); err != nil {
			return err
		}
		c.Client2, err = w.keyClient(p, w.entry(p, "2", "private_key_jwt"))
	}
	return err
}

func (w *world) entry(p plan, suffix, method string) hufuClient {
	name := words{ZH: "一致性测试", EN: "Conformance suite"}
	callback := w.suite.Base + "/test/a/" + p.alias() + "/callback"
	if suffix == "2" && (strings.HasPrefix(p.plan, "fapi2-") || p.clients == wallets) {
		callback += "?dummy1=lorem&dummy2=ipsum" // the suite wants the query to come back
	}
	return hufuClient{ID: p.alias() + "-" + suffix, Name: name, Service: name, RedirectURIs: []string{callback}, AuthMethod: method,
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scopes: scopes}
}

func (w *world) secretClient(p plan, suffix, method string) (*suite.ClientConfig, error) {
	e := w.entry(p, suffix, method)
	secret := rand.Text() + rand.Text()
	e.SecretFile = w.file(e.ID + ".secret")
	w.clients = append(w.clients, e)
	return &suite.ClientConfig{ID: e.ID, Secret: secret}, w.write(e.ID+".secret", []byte(secret))
}

// keyClient registers a client of the profile fapi2 with a key of its own.
func (w *world) keyClient(p plan, e hufuClient) (*suite.ClientConfig, error) {
	e.Profile, e.Signed, e.JWKSFile = "fapi2", p.clients == signedMessage, w.file(e.ID+".jwks")
	// Some modules want an RSA key of the first client.
	alg := jose.ES256
	if e.AuthMethod == "private_key_jwt" && strings.HasSuffix(e.ID, "-1") && p.clients != wallets {
		alg = jose.PS256
	}
	key, err := jose.GenerateKey(alg)
	if err != nil {
		return nil, err
	}
	public, err1 := key.Public()
	set, err2 := jose.MarshalJWKS([]jose.JWK{public.WithUse("sig")})
	private, err3 := jose.MarshalPrivateJWK(key)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	w.clients = append(w.clients, e)
	return &suite.ClientConfig{ID: e.ID, Scope: strings.Join(scopes, " "), JWKS: json.RawMessage(fmt.Sprintf(`{"keys":[%s]}`, private)), DPoP: string(jose.ES256)},
		w.write(e.ID+".jwks", set)
}

// certificateClients registers two clients with TLS certificates: one whose authority we trust, one that signed its own.
func (w *world) certificateClients(p plan, c *suite.Config) error {
	known, own := w.entry(p, "1", "tls_client_auth"), w.entry(p, "2", "self_signed_tls_client_auth")
	known.SANDNS = "client.hufu.test"
	template := certs.ForClient(known.SANDNS)
	issued, err := w.authority.Issue(template)
	if err != nil {
		return err
	}
	if c.Client, err = w.keyClient(p, known); err != nil {
		return err
	}
	if c.MTLS, err = certOf(issued, w.authority.PEM()); err != nil {
		return err
	}
	if c.Client2, err = w.keyClient(p, own); err != nil {
		return err
	}
	key, err := jose.ParsePrivateJWK(onlyKey(c.Client2.JWKS))
	if err != nil {
		return err
	}
	signed, err := certs.SelfSigned(certs.ForClient("other.hufu.test"), key.Key)
	if err != nil {
		return err
	}
	c.MTLS2, err = certOf(signed, nil)
	return err
}

// onlyKey is the key of a set of one.
func onlyKey(set json.RawMessage) json.RawMessage {
	var keys struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(set, &keys) != nil || len(keys.Keys) != 1 {
		return nil
	}
	return keys.Keys[0]
}

func certOf(c tls.Certificate, ca []byte) (*suite.CertConfig, error) {
	cert, key, err := certs.PEM(c)
	return &suite.CertConfig{Cert: string(cert), Key: string(key), CA: string(ca)}, err
}

// walletClients registers two wallets. With private_key_jwt the suite proves possession by the client's key, too.
func (w *world) walletClients(v vci.Plan, p plan, c *suite.Config) error {
	c.VCI = &suite.VCIConfig{Issuer: w.desk.Issuer(), Server: w.origin, Configuration: v.Configuration(), ProofType: "jwt"}
	c.Attestation = w.provider.Config()
	for suffix, to := range map[string]**suite.ClientConfig{"1": &c.Client, "2": &c.Client2} {
		e := w.entry(p, suffix, "private_key_jwt")
		e.GrantTypes, e.Scopes = v.Grants(), []string{vci.TypeID}
		if v.Attested {
			e.AuthMethod, e.Profile, e.Provider = "attest_jwt_client_auth", "haip", vci.ProviderName
			w.clients = append(w.clients, e)
			*to = &suite.ClientConfig{ID: e.ID}
			continue
		}
		var err error
		if *to, err = w.keyClient(p, e); err != nil {
			return err
		}
	}
	return nil
}

// entries are the clients as elements of any list.
func entries(clients []hufuClient) []any {
	out := make([]any, len(clients))
	for i, c := range clients {
		out[i] = c
	}
	return out
}
