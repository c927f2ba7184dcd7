package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attester"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/oidc/request"
)

// document is a ready answer.
type document struct {
	body []byte
	etag string
}

// documents are the two metadata documents, made once: they depend on nothing but the configuration.
type documents struct{ openid, server document }

func newDocument(v any) (document, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return document{}, fmt.Errorf("oidc: metadata: %w", err)
	}
	sum := sha256.Sum256(b)
	return document{body: b, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// newDocuments lists what works, and only that: every listed value is a promise that some client will take up. With one profile for all
// clients it lists what that profile allows.
func newDocuments(cfg Config, wallets *attester.Attester) (documents, error) {
	policy := client.PolicyOf(cfg.Profile)
	server := serverMetadata(cfg, policy)
	if wallets != nil {
		addWallets(server, cfg, policy, wallets)
	}
	openid := map[string]any{
		"userinfo_endpoint":                        cfg.Issuer + "/userinfo",
		"end_session_endpoint":                     cfg.Issuer + "/logout",
		"subject_types_supported":                  []string{"pairwise"},
		"id_token_signing_alg_values_supported":    policy.IDTokenAlgs,
		"id_token_encryption_alg_values_supported": jwe.Algs(),
		"id_token_encryption_enc_values_supported": jwe.Encs(),
		"userinfo_signing_alg_values_supported":    policy.IDTokenAlgs,
		"userinfo_encryption_alg_values_supported": jwe.Algs(),
		"userinfo_encryption_enc_values_supported": jwe.Encs(),
		"acr_values_supported":                     request.Levels,
		"claim_types_supported":                    []string{"normal"},
		"claims_supported":                         append([]string{"sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce", "at_hash", "phone_number_verified"}, claim.All()...),
		"prompt_values_supported":                  []string{"none", "login", "consent", "select_account"},
		"claims_parameter_supported":               true,
		"request_parameter_supported":              true,
		"request_uri_parameter_supported":          false, // the default would be true; references to pushed requests are not meant
	}
	if cfg.HTTP != nil {
		openid["backchannel_logout_supported"], openid["backchannel_logout_session_supported"] = true, true
	}
	for k, v := range server {
		openid[k] = v
	}
	var d documents
	var err error
	if d.server, err = newDocument(server); err != nil {
		return d, err
	}
	d.openid, err = newDocument(openid)
	return d, err
}

// serverMetadata is RFC 8414.
func serverMetadata(cfg Config, policy client.Policy) map[string]any {
	grants := []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials}
	if cfg.PreAuthorizedCodes != nil {
		grants = append(grants, client.PreAuthorizedCode)
	}
	methods := slices.DeleteFunc(slices.Clone(policy.AuthMethods), func(m client.AuthMethod) bool {
		return m == client.Attestation || m == client.SelfSignedTLS && cfg.MTLSOrigin == "" || m == client.TLS && (cfg.MTLSOrigin == "" || cfg.ClientCAs == nil)
	})
	server := map[string]any{
		"issuer":                                                   cfg.Issuer,
		"authorization_endpoint":                                   cfg.Issuer + "/authorize",
		"token_endpoint":                                           cfg.Issuer + "/token",
		"pushed_authorization_request_endpoint":                    cfg.Issuer + "/par",
		"require_pushed_authorization_requests":                    policy.RequirePAR,
		"introspection_endpoint":                                   cfg.Issuer + "/introspect",
		"introspection_endpoint_auth_methods_supported":            slices.DeleteFunc(slices.Clone(methods), func(m client.AuthMethod) bool { return m == client.None }),
		"introspection_endpoint_auth_signing_alg_values_supported": policy.SigningAlgs,
		"introspection_signing_alg_values_supported":               policy.IDTokenAlgs,
		"revocation_endpoint":                                      cfg.Issuer + "/revoke",
		"revocation_endpoint_auth_methods_supported":               methods,
		"revocation_endpoint_auth_signing_alg_values_supported":    policy.SigningAlgs,
		"jwks_uri":                                         cfg.Issuer + "/jwks",
		"scopes_supported":                                 claim.Scopes(),
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         request.Modes(),
		"grant_types_supported":                            grants,
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            methods,
		"token_endpoint_auth_signing_alg_values_supported": policy.SigningAlgs,
		"request_object_signing_alg_values_supported":      policy.SigningAlgs,
		"authorization_signing_alg_values_supported":       policy.IDTokenAlgs,
		"authorization_encryption_alg_values_supported":    jwe.Algs(),
		"authorization_encryption_enc_values_supported":    jwe.Encs(),
		"dpop_signing_alg_values_supported":                dpop.Algs(),
		"authorization_response_iss_parameter_supported":   true,
		"ui_locales_supported":                             []string{"zh-Hans-CN", "en"},
	}
	types := slices.Sorted(maps.Keys(cfg.DetailTypes))
	if cfg.Credentials != nil && cfg.CredentialScopes != nil {
		types = append(types, credential.Type)
	}
	if len(types) > 0 {
		server["authorization_details_types_supported"] = types
	}
	if cfg.Registration.Enabled() {
		server["registration_endpoint"] = cfg.Issuer + registration.Path
	}
	if cfg.PreAuthorizedCodes != nil {
		server["pre-authorized_grant_anonymous_access_supported"] = policy.Anonymous()
	}
	if o := cfg.MTLSOrigin; o != "" {
		server["tls_client_certificate_bound_access_tokens"] = true
		server["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": o + "/token", "pushed_authorization_request_endpoint": o + "/par",
			"userinfo_endpoint": o + "/userinfo", "introspection_endpoint": o + "/introspect", "revocation_endpoint": o + "/revoke"}
	}
	return server
}

// addWallets says how wallets prove themselves (draft 07, section 10.1; draft 11, section 8).
func addWallets(server map[string]any, cfg Config, policy client.Policy, wallets *attester.Attester) {
	if !slices.Contains(policy.AuthMethods, client.Attestation) {
		return
	}
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		name := endpoint + "_endpoint_auth_methods_supported"
		methods, _ := server[name].([]client.AuthMethod)
		methods = slices.Clone(methods)
		for _, m := range wallets.Methods() {
			methods = append(methods, client.AuthMethod(m))
		}
		server[name] = methods
	}
	server["client_attestation_signing_alg_values_supported"] = attestation.Algs()
	server["client_attestation_pop_signing_alg_values_supported"] = attestation.Algs()
	server["challenge_endpoint"] = cfg.Issuer + attester.Path
}

func (p *Provider) openidConfiguration(w http.ResponseWriter, r *http.Request) {
	p.documents.openid.serve(w, r)
}

func (p *Provider) authorizationServer(w http.ResponseWriter, r *http.Request) {
	p.documents.server.serve(w, r)
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	keys, err := p.cfg.Keys.VerificationKeys(r.Context())
	if err != nil {
		oauth.Write(w, r, p.cfg.Log, fmt.Errorf("oidc: verification keys: %w", err))
		return
	}
	d, err := p.keySet.of(keys)
	if err != nil {
		oauth.Write(w, r, p.cfg.Log, err)
		return
	}
	d.serve(w, r)
}

// keySet is the document of the last keys asked for: they change a few times a year. The zero value is ready; safe for concurrent use.
type keySet struct{ last atomic.Pointer[keysDocument] }

type keysDocument struct {
	document
	keys []jose.JWK
}

func (s *keySet) of(keys []jose.JWK) (document, error) {
	same := func(a, b jose.JWK) bool {
		return a.KeyID() == b.KeyID() && a.Thumbprint() == b.Thumbprint() && a.Alg() == b.Alg()
	}
	if last := s.last.Load(); last != nil && slices.EqualFunc(last.keys, keys, same) {
		return last.document, nil
	}
	set := struct {
		Keys []jose.JWK `json:"keys"`
	}{make([]jose.JWK, 0, len(keys))}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.WithUse("sig"))
	}
	d, err := newDocument(set)
	if err == nil {
		s.last.Store(&keysDocument{d, slices.Clone(keys)})
	}
	return d, err
}

// serve answers with a document that may be cached for five minutes: keys are published longer than that before they are used.
func (d document) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", d.etag)
	if r.Header.Get("If-None-Match") == d.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(d.body)
}
