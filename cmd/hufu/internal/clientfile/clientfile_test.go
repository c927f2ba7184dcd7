package clientfile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

const whole = `
id: renewal
name: {zh: 交管, en: Police}
service: {zh: 换证, en: Renewal}
organisation: 1199440000TRY002X9
redirect_uris: [https://rp.example/cb]
post_logout_redirect_uris: [https://rp.example/out]
profile: national
auth_method: tls_client_auth
tls_client_auth_san_dns: rp.example
jwks_uri: https://rp.example/jwks
token_endpoint_auth_signing_alg: PS256
grant_types: [authorization_code, refresh_token]
scopes: [openid, profile]
optional_claims: [gender]
resources: [https://api.example/]
serves: [https://own.example/]
authorization_details_types: [insurance]
required_acr: loa3
default_max_age: 0
id_token_signed_response_alg: ES256
id_token_encrypted_response_alg: ECDH-ES
opaque_access_tokens: true
request_object_signing_alg: EdDSA
require_signed_request_object: true
require_pushed_authorization_requests: true
require_pkce: true
tls_client_certificate_bound_access_tokens: true
backchannel_logout_uri: https://rp.example/bye
backchannel_logout_session_required: true
client_uri: https://rp.example/
logo_uri: https://rp.example/logo
policy_uri: https://rp.example/p
tos_uri: https://rp.example/t
contacts: [a@rp.example]
initiate_login_uri: https://rp.example/start
software_id: s
software_version: "1.0"
disabled: true
`

func parse(t *testing.T, text string) Entry {
	t.Helper()
	var e Entry
	if err := yaml.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// Every key of the manual reaches the registration.
func TestEveryKeyIsRead(t *testing.T) {
	got, err := parse(t, whole).Client("")
	if err != nil {
		t.Fatal(err)
	}
	want := client.Client{ID: "renewal", Name: web.Text{ZH: "交管", EN: "Police"}, Service: web.Text{ZH: "换证", EN: "Renewal"}, Organisation: "1199440000TRY002X9",
		RedirectURIs: []string{"https://rp.example/cb"}, PostLogoutRedirectURIs: []string{"https://rp.example/out"}, Profile: "national", AuthMethod: client.TLS,
		Certificate: client.Certificate{TLSSANDNS: "rp.example"}, JWKSURI: "https://rp.example/jwks", AuthSigningAlg: jose.PS256,
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scopes: []string{"openid", "profile"}, OptionalClaims: []string{"gender"},
		Resources: []string{"https://api.example/"}, Serves: []string{"https://own.example/"}, DetailTypes: []string{"insurance"}, RequiredACR: "loa3", DefaultMaxAge: new(int64),
		Answers:  client.Answers{IDTokenSignedAlg: jose.ES256, IDTokenEncryptedAlg: "ECDH-ES", OpaqueTokens: true},
		Requests: client.Requests{RequestObjectAlg: jose.EdDSA, RequireRequestObject: true, RequirePAR: true, TLSBound: true},
		Logout:   client.Logout{BackchannelLogoutURI: "https://rp.example/bye", BackchannelLogoutSessionRequired: true},
		About: client.About{ClientURI: "https://rp.example/", LogoURI: "https://rp.example/logo", PolicyURI: "https://rp.example/p", TermsURI: "https://rp.example/t",
			Contacts: []string{"a@rp.example"}, InitiateLoginURI: "https://rp.example/start", SoftwareID: "s", SoftwareVersion: "1.0"}, Disabled: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRegistrationPolicy(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.JWK{public})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"keys": string(set), "none": `{"keys":[]}`, "junk": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuer := func(iss, file string) []StatementIssuer { return []StatementIssuer{{iss, filepath.Join(dir, file)}} }
	openid := []string{"openid"}
	for name, c := range map[string]struct {
		in      Registration
		enabled bool
		says    string
	}{
		"nothing": {Registration{}, false, ""}, "off": {Registration{Mode: "off", Scopes: openid}, false, ""}, "token": {Registration{Mode: "token", Scopes: openid}, true, ""},
		"statements":          {Registration{Mode: "token", Scopes: openid, StatementIssuers: issuer("https://ca.example", "keys")}, true, ""},
		"open is for dev":     {Registration{Mode: "open", Scopes: openid}, false, "none of off and token"},
		"no scopes":           {Registration{Mode: "token"}, false, "scopes are needed"},
		"machines":            {Registration{Mode: "token", Scopes: []string{"openid", "seal"}}, false, "scope seal"},
		"statement, no keys":  {Registration{Mode: "token", Scopes: openid, StatementIssuers: issuer("https://ca.example", "none")}, false, "public keys"},
		"statement, junk":     {Registration{Mode: "token", Scopes: openid, StatementIssuers: issuer("https://ca.example", "junk")}, false, "malformed"},
		"statement of nobody": {Registration{Mode: "token", Scopes: openid, StatementIssuers: issuer("", "keys")}, false, "an issuer"},
	} {
		p, err := c.in.Policy()
		if c.says == "" && (err != nil || p.Enabled() != c.enabled) || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

// Whatever a file says, what comes out is a registration by every rule, and never one that was promised to go without PKCE.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{whole, "id: a", "require_pkce: false", "id: a\nid: b", "[1]", "id: &x a\nname: *x", "default_max_age: 1e3", "<<: {id: a}", "name: {zh: 1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var e Entry
		if len(text) > 4096 || yaml.Unmarshal([]byte(text), &e) != nil || e.SecretFile != "" || e.JWKSFile != "" {
			return
		}
		c, err := e.Client("")
		if err == nil && (c.Check() != nil || e.RequirePKCE != nil && !*e.RequirePKCE || c.Dynamic || c.Loopback) {
			t.Errorf("accepted: %q", text)
		}
	})
}
