package registration_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// forbidden are members that no client may have, each with the code of its refusal.
func forbidden(t *testing.T) map[string]struct {
	change []any
	code   string
} {
	es := keySet(t, newKey(t, jose.ES256))
	type row = struct {
		change []any
		code   string
	}
	meta, redirect := "invalid_client_metadata", "invalid_redirect_uri"
	uris := func(u ...string) []any { return []any{"redirect_uris", u} }
	return map[string]row{
		"implicit grant":            {[]any{"grant_types", []string{"authorization_code", "implicit"}}, meta},
		"password grant":            {[]any{"grant_types", []string{"password"}}, meta},
		"client credentials":        {[]any{"grant_types", []string{"authorization_code", "client_credentials"}}, meta},
		"refresh alone":             {[]any{"grant_types", []string{"refresh_token"}}, meta},
		"hybrid response type":      {[]any{"response_types", []string{"code", "code id_token"}}, meta},
		"public subjects":           {[]any{"subject_type", "public"}, meta},
		"scope of machines":         {[]any{"scope", "openid register"}, meta},
		"unknown profile":           {[]any{"profile", "lax"}, meta},
		"profile not for it":        {[]any{"profile", "fapi2", "token_endpoint_auth_method", "private_key_jwt", "jwks", es, "id_token_signed_response_alg", "ES256"}, meta},
		"unknown method":            {[]any{"token_endpoint_auth_method", "client_secret_jwt"}, meta},
		"P11 names a provider":      {[]any{"token_endpoint_auth_method", "attest_jwt_client_auth", "wallet_provider", "haip"}, meta},
		"keys missing":              {[]any{"token_endpoint_auth_method", "private_key_jwt"}, meta},
		"keys twice":                {[]any{"jwks", es, "jwks_uri", "https://rp.example/jwks"}, meta},
		"id_token unsigned":         {[]any{"id_token_signed_response_alg", "none"}, meta},
		"request object unsigned":   {[]any{"jwks", es, "request_object_signing_alg", "none"}, meta},
		"both bindings":             {[]any{"dpop_bound_access_tokens", true, "tls_client_certificate_bound_access_tokens", true}, meta},
		"negative max age":          {[]any{"default_max_age", -1}, meta},
		"application type":          {[]any{"application_type", "toaster"}, meta},
		"initiate_login_uri http":   {[]any{"initiate_login_uri", "http://rp.example/start"}, meta},
		"logo http":                 {[]any{"logo_uri", "http://rp.example/logo"}, meta},
		"logo javascript":           {[]any{"logo_uri", "javascript:alert(1)"}, meta},
		"logout address":            {[]any{"backchannel_logout_uri", "https://u@rp.example/"}, meta},
		"name that turns around":    {[]any{"client_name", "abc\u202ecba"}, meta},
		"name too long":             {[]any{"client_name", strings.Repeat("名", 121)}, meta},
		"too much":                  {[]any{"contacts", []string{strings.Repeat("x", 17<<10)}}, meta},
		"wrong type: number":        {[]any{"client_name", 7}, meta},
		"wrong type: list":          {[]any{"redirect_uris", "https://rp.example/cb"}, meta},
		"wrong type: bool":          {[]any{"dpop_bound_access_tokens", "true"}, meta},
		"wrong type: float":         {[]any{"default_max_age", 1.5}, meta},
		"no redirect":               {[]any{"redirect_uris", nil}, redirect},
		"redirect with a fragment":  {uris("https://rp.example/cb#x"), redirect},
		"redirect without TLS":      {uris("http://rp.example/cb"), redirect},
		"redirect script":           {uris("javascript:alert(1)"), redirect},
		"redirect wildcard":         {uris("https://*.example/cb"), redirect},
		"redirect user info":        {uris("https://rp.example@evil.example/cb"), redirect},
		"one good and one bad":      {uris("https://rp.example/cb", "http://rp.example/cb"), redirect},
		"redirect not on loopback":  {uris("http://127.0.0.1.evil.example/cb"), redirect},
		"statement of nobody known": {[]any{"software_statement", statement(t, newKey(t, jose.ES256), doc{"iss": "https://x.example"})}, "unapproved_software_statement"},
		"statement that is none":    {[]any{"software_statement", "junk"}, "invalid_software_statement"},
	}
}

func statement(t *testing.T, key jose.SigningKey, claims doc) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	must(t, err)
	token, err := jose.Sign(key, jose.Header{Typ: "JWT"}, payload)
	must(t, err)
	return token
}

func TestForbiddenMetadata(t *testing.T) {
	e := open(t, sqlite(t))
	e.create(good, "") // the twin of all
	for name, row := range forbidden(t) {
		before := e.digest()
		status, out := e.post(good.with(row.change...), "")
		e.refused(name, status, out, 400, row.code)
		if text := out.text("error_description"); text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			t.Errorf("%s: description %q", name, text)
		}
		if e.digest() != before {
			t.Errorf("%s: something was registered", name)
		}
	}
	for name, body := range map[string]string{"not JSON": "{", "two values": "{}{}", "a list": "[]", "null": "null", "twice": `{"scope":"openid","scope":"openid"}`,
		"twice, other case": `{"redirect_uris":["https://rp.example/cb"],"Redirect_URIs":["https://evil.example/cb"]}`, "deep": strings.Repeat("[", 200_000)} {
		status, out, _ := e.do(http.MethodPost, registration.Path, "", "application/json", []byte(body))
		if name == "deep" {
			if status != 400 && status != 413 {
				t.Errorf("W03 %s: %d", name, status)
			}
			continue
		}
		e.refused(name, status, out, 400, "invalid_client_metadata")
	}
	status, out, _ := e.do(http.MethodPost, registration.Path, "", "text/plain", []byte(`{"redirect_uris":["https://rp.example/cb"]}`))
	e.refused("X05 another content type", status, out, 415, "invalid_client_metadata")
	status, _, _ = e.do(http.MethodPost, registration.Path, "", "application/json", []byte(`{"client_name":"`+strings.Repeat("x", 65<<10)+`"}`))
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("W02 65 KiB: %d", status)
	}
}

// F02: what may not be created may not come about by a change either.
func TestF02TheWholeNewStateIsValidated(t *testing.T) {
	e := open(t, sqlite(t))
	made := e.create(good, "")
	token := made.text("registration_access_token")
	for name, row := range forbidden(t) {
		before := e.digest()
		status, out := e.put(made, good.with(row.change...).with("client_id", made["client_id"]), token)
		e.refused("F02 "+name, status, out, 400, row.code)
		if e.digest() != before {
			t.Errorf("F02 %s: something changed", name)
		}
	}
	for name, m := range map[string]doc{
		"F02 confidential to public": good.with("client_id", made["client_id"], "token_endpoint_auth_method", "none"),
		"F02 another client_id":      good.with("client_id", "dyn-x"), "F02 no client_id": good,
		"F02 a secret of its choice": good.with("client_id", made["client_id"], "client_secret", "chosen"),
	} {
		status, out := e.put(made, m, token)
		e.refused(name, status, out, 400, "invalid_client_metadata")
	}
	public := e.create(good.with("token_endpoint_auth_method", "none"), "")
	if public["client_secret"] != nil {
		t.Error("a public client has no secret")
	}
	status, out := e.put(public, good.with("client_id", public["client_id"]), public.text("registration_access_token"))
	e.refused("F02 public to confidential", status, out, 400, "invalid_client_metadata")
	// The twin, which also changes the method among those of a confidential client.
	status, out = e.put(made, good.with("client_id", made["client_id"], "token_endpoint_auth_method", "private_key_jwt", "jwks", keySet(t, newKey(t, jose.ES256))), token)
	if status != http.StatusOK || out["client_secret_expires_at"] != nil {
		t.Errorf("%d %v", status, out)
	}
	if e.authenticates(made.text("client_id"), made.text("client_secret")) == nil {
		t.Error("the secret of the method before is still good")
	}
}

// F03: our registrations have no mappers, so all that could set a claim is a member that we don't know, and those are kept nowhere.
func TestF03NobodyRegistersClaims(t *testing.T) {
	e := open(t, sqlite(t))
	made := e.create(good.with("sub", "admin", "roles", []string{"admin"}, "required_acr", "loa1", "organisation", "1199440000TRY002X9", "id", "app", "secret_hash", "x",
		"dynamic", false, "disabled", false, "optional_claims", []string{"name"}, "resources", []string{"https://id.example/register"}, "registration_token_hash", "x"), "")
	c, err := e.store.Client(context.Background(), made.text("client_id"))
	must(t, err)
	if c.Organisation != "" || len(c.OptionalClaims) > 0 || len(c.Resources) > 0 || !c.Dynamic || c.SecretHash == "x" || c.TokenHash == "x" || strings.Contains(e.digest(), "admin") {
		t.Errorf("registered: %+v", c)
	}
}

func TestD09BadKeysAreNotRegistered(t *testing.T) {
	e := open(t, sqlite(t))
	set := func(jwk string) doc { return good.with("jwks", json.RawMessage(`{"keys":[`+jwk+`]}`)) }
	n := func(bits int) string { return "v" + strings.Repeat("v", bits/6-1) }
	for name, jwk := range map[string]string{
		"RSA 1024": `{"kty":"RSA","e":"AQAB","n":"` + n(1024) + `"}`, "RSA 8192": `{"kty":"RSA","e":"AQAB","n":"` + n(8192) + `"}`, "RSA 65536": `{"kty":"RSA","e":"AQAB","n":"` + n(65536) + `"}`,
		"e=1":           `{"kty":"RSA","e":"AQ","n":"` + n(2048) + `"}`,
		"off curve":     `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyN"}`,
		"symmetric":     `{"kty":"oct","k":"AAAA"}`,
		"private d":     `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`,
		"no type":       `{}`,
		"unknown curve": `{"kty":"EC","crv":"secp256k1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`,
	} {
		start := time.Now()
		status, out := e.post(set(jwk), "")
		e.refused("D09 "+name, status, out, 400, "invalid_client_metadata")
		if d := time.Since(start); d > time.Second {
			t.Errorf("D09 %s took %v", name, d)
		}
	}
	e.create(set(`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`), "") // twin of off curve and private d
	e.create(good.with("jwks", keySet(t, newKey(t, jose.RS256))), "")
	many := make([]jose.SigningKey, jose.MaxKeySetKeys+1)
	for i := range many {
		many[i] = newKey(t, jose.EdDSA)
	}
	status, out := e.post(good.with("jwks", keySet(t, many...)), "")
	e.refused("D09 21 keys", status, out, 400, "invalid_client_metadata")
	e.create(good.with("jwks", keySet(t, many[1:]...)), "")
}

func TestSectorIdentifier(t *testing.T) {
	list := `["https://one.example/cb","https://two.example/cb","https://three.example/cb"]`
	hits := 0
	sector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(list))
	}))
	defer sector.Close()
	allowed := netip.MustParseAddrPort(sector.Listener.Addr().String())
	e := newEnv(t, sqlite(t), registration.Policy{Mode: registration.Open}, func(ap netip.AddrPort) bool { return ap == allowed })
	two := good.with("redirect_uris", []string{"https://one.example/cb", "https://two.example/cb"}, "sector_identifier_uri", sector.URL+"/", "subject_type", "pairwise")
	made := e.create(two, "")
	c, err := e.store.Client(context.Background(), made.text("client_id"))
	must(t, err)
	if c.Sector() != "host:127.0.0.1" || made.text("sector_identifier_uri") != sector.URL+"/" {
		t.Errorf("sector %q", c.Sector())
	}
	alone := e.create(two.with("sector_identifier_uri", nil), "")
	c, err = e.store.Client(context.Background(), alone.text("client_id"))
	must(t, err)
	if c.Sector() != "client:"+c.ID {
		t.Errorf("several hosts without a document: sector %q", c.Sector())
	}
	bad := func(name string, m doc) {
		t.Helper()
		status, out := e.post(m, "")
		e.refused(name, status, out, 400, "invalid_client_metadata")
	}
	bad("not listed", two.with("redirect_uris", []string{"https://one.example/cb", "https://evil.example/cb"}))
	bad("E01 redirect", two.with("sector_identifier_uri", sector.URL+"/moved"))
	for name, text := range map[string]string{"object": `{"a":1}`, "numbers": `[1]`, "HTML": `<html>`, "E03 large": `["` + strings.Repeat("x", 300<<10) + `"]`} {
		kept := list
		list = text
		bad("sector document: "+name, two)
		list = kept
	}
	hits = 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer other.Close()
	port := other.URL[strings.LastIndex(other.URL, ":")+1:]
	for _, uri := range []string{other.URL, "https://127.0.0.1:" + port, "https://[::1]:" + port, "https://[::ffff:7f00:1]:" + port, "https://0.0.0.0:" + port, "https://2130706433:" + port,
		"https://0177.0.0.1:" + port, "https://10.0.0.1/", "https://169.254.169.254/latest", "gopher://127.0.0.1/", "file:///etc/passwd", "https://u@127.0.0.1:" + port, "http://rp.example/"} {
		bad("E01 "+uri, two.with("sector_identifier_uri", uri))
		if hits > 0 {
			t.Fatalf("E01 %s was fetched", uri)
		}
	}
}

// E01: what people's browsers open is no business of the server. It looks at how the address is written and asks nobody.
func TestE01AddressesForPeopleAreNotFetched(t *testing.T) {
	hits := 0
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer inner.Close()
	e := open(t, sqlite(t)) // its client would reach any socket
	for _, member := range []string{"logo_uri", "policy_uri", "tos_uri", "client_uri", "backchannel_logout_uri", "jwks_uri"} {
		e.create(good.with(member, inner.URL+"/x"), "")
		for _, uri := range []string{"http://10.0.0.1/x", "gopher://rp.example/", "file:///etc/passwd", "https://u@rp.example/", "data:text/html,x", "//rp.example/x", "/x"} {
			status, out := e.post(good.with(member, uri), "")
			e.refused("E01 "+member+" "+uri, status, out, 400, "invalid_client_metadata")
		}
	}
	if hits > 0 {
		t.Errorf("E01: %d requests", hits)
	}
}

func TestSoftwareStatement(t *testing.T) {
	key, other := newKey(t, jose.ES256), newKey(t, jose.ES256)
	public, err := key.Public()
	must(t, err)
	e := newEnv(t, sqlite(t), registration.Policy{Mode: registration.Open, Issuers: []registration.StatementIssuer{{Issuer: "https://ca.example", Keys: []jose.JWK{public}}}}, nil)
	hour := e.clock().Add(time.Hour).Unix()
	claims := doc{"iss": "https://ca.example", "exp": hour, "software_id": "s1", "client_name": "Approved", "client_id": "app"}
	signed := statement(t, key, claims)
	made := e.create(good.with("software_statement", signed, "client_name", "Chosen", "software_id", "s2"), "")
	if made.text("client_name") != "Approved" || made.text("software_id") != "s1" || made.text("software_statement") != signed || made["client_id"] == "app" {
		t.Errorf("the statement goes first: %v", made)
	}
	id, token := made["client_id"], made.text("registration_access_token")
	status, out := e.put(made, good.with("client_id", id), token)
	e.refused("F02 a change without the statement", status, out, 400, "invalid_software_statement")
	if status, out = e.put(made, good.with("client_id", id, "software_statement", signed), token); status != http.StatusOK || out.text("client_name") != "Approved" {
		t.Errorf("a change with it: %d %v", status, out)
	}
	parts := strings.Split(signed, ".")
	for name, bad := range map[string]string{
		"another key": statement(t, other, claims), "expired": statement(t, key, claims.with("exp", e.clock().Unix())), "no exp": statement(t, key, claims.with("exp", nil)),
		"none": "eyJhbGciOiJub25lIn0." + parts[1] + ".", "HS256": "eyJhbGciOiJIUzI1NiJ9." + parts[1] + ".AAAA", "altered": parts[0] + "." + parts[1] + "A." + parts[2],
		"wrong types": statement(t, key, claims.with("client_name", 7)),
	} {
		status, out := e.post(good.with("software_statement", bad), "")
		e.refused("statement: "+name, status, out, 400, "invalid_software_statement")
	}
	status, out = e.post(good.with("software_statement", statement(t, other, claims.with("iss", "https://other.example"))), "")
	e.refused("statement of another issuer", status, out, 400, "unapproved_software_statement")
	status, out = e.post(good.with("software_statement", statement(t, key, claims.with("grant_types", []string{"implicit"}))), "")
	e.refused("F02 what the policy forbids, no statement allows", status, out, 400, "invalid_client_metadata")
}

func TestProfilesOfThePolicy(t *testing.T) {
	e := newEnv(t, sqlite(t), registration.Policy{Mode: registration.Open, Profiles: []string{"fapi2", "core"}}, nil)
	keys := good.with("token_endpoint_auth_method", "private_key_jwt", "jwks", keySet(t, newKey(t, jose.ES256)))
	if made := e.create(keys, ""); made.text("profile") != "fapi2" || made["id_token_signed_response_alg"] != nil {
		t.Errorf("the first is the default: %v", made)
	}
	status, out := e.post(good, "")
	e.refused("a secret in fapi2", status, out, 400, "invalid_client_metadata")
	e.create(good.with("profile", "core"), "")
	status, out = e.post(keys.with("profile", "national"), "")
	e.refused("F02 a profile that the policy doesn't name", status, out, 400, "invalid_client_metadata")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"redirect_uris":["https://rp.example/cb"],"client_name":"A","scope":"openid"}`, `{"jwks":{"keys":[]},"default_max_age":1}`,
		`{"grant_types":["implicit"]}`, `{"client_name#zh":"名","logo_uri":"https://x/"}`, `null`, `{"scope":1}`, `{"a":{"b":[{}]}}`} {
		f.Add([]byte(seed))
	}
	policy := registration.Policy{Mode: registration.Open, Scopes: []string{"openid"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := registration.Judge(policy, body)
		if err != nil {
			return
		}
		// Whatever gets in is a registration by every rule, stays one when it is read back, and has nothing that the policy forbids.
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back client.Client
		if err := json.Unmarshal(text, &back); err != nil || back.Check() != nil || back.Organisation != "" || !back.Dynamic {
			t.Fatalf("%s: %v %v", text, err, back.Check())
		}
		for _, g := range back.GrantTypes {
			if g != client.AuthorizationCode && g != client.RefreshToken {
				t.Fatalf("grant type %q", g)
			}
		}
	})
}
