package jar

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
)

const issuer = "https://id.example"

var now = time.Unix(1_790_000_000, 0)

func reader(t testing.TB) (Reader, client.Client, jose.SigningKey) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	at := func() time.Time { return now }
	c := client.Client{ID: "app", AuthMethod: client.PrivateKeyJWT, JWKS: []jose.JWK{pub}}
	return Reader{Issuer: issuer, Keys: client.NewKeys(nil, at), Now: at}, c, key
}

func sign(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "app", "aud": issuer, "exp": now.Add(time.Minute).Unix(), "client_id": "app", "response_type": "code"}
	for name, v := range claims {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	s, err := jose.SignJSON(key, jose.Header{Typ: "oauth-authz-req+jwt"}, all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every claim keeps its JSON type on the way to a parameter: a max_age that becomes "%!s(int64=60)" is a login that is not renewed.
func TestClaimsBecomeParametersByTheirType(t *testing.T) {
	d, c, key := reader(t)
	v, once, err := d.Read(context.Background(), c, sign(t, key, map[string]any{"max_age": 60, "claims": map[string]any{"id_token": map[string]any{"acr": nil}},
		"authorization_details": []any{map[string]any{"type": "enquiry"}}, "resource": []string{"https://a.example", "https://b.example"}, "jti": "1", "nonce": "数"}))
	if err != nil || once == nil || !once.Expires.After(now) {
		t.Fatal(err, once)
	}
	for name, want := range map[string]string{"max_age": "60", "claims": `{"id_token":{"acr":null}}`, "authorization_details": `[{"type":"enquiry"}]`, "nonce": "数",
		"resource": "https://a.example", "iss": "", "exp": ""} {
		if got := v.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(v["resource"]) != 2 {
		t.Errorf("resource: %v", v["resource"])
	}
}

// TestTypOfAnyCase: the type of a request object is a media type (RFC 9101 section 10.8), and clients write it as they like.
func TestTypOfAnyCase(t *testing.T) {
	d, c, key := reader(t)
	for typ, want := range map[string]error{"oauth-authz-req+jwt": nil, "OautH-auThZ-REQ+jWt": nil, "at+jwt": ErrObject} {
		object, err := jose.SignJSON(key, jose.Header{Typ: typ}, map[string]any{"iss": "app", "aud": issuer, "exp": now.Add(time.Minute).Unix(), "client_id": "app"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Read(context.Background(), c, object); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", typ, err, want)
		}
	}
}

func TestA10WindowBelongsToTheProfile(t *testing.T) {
	d, c, key := reader(t)
	for _, profile := range []string{"core", "fapi2"} {
		c.Profile = profile
		for name, claims := range map[string]map[string]any{
			"without nbf": {}, "with nbf": {"nbf": now.Unix()}, "nbf 8 s ahead": {"nbf": now.Add(8 * time.Second).Unix()},
		} {
			_, _, err := d.Read(context.Background(), c, sign(t, key, claims))
			if refused := profile == "fapi2" && name == "without nbf"; errors.Is(err, ErrObject) != refused {
				t.Errorf("%s, %s: %v", profile, name, err)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	d, c, key := reader(f)
	good := sign(f, key, nil)
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add(sign(f, key, map[string]any{"max_age": 1e300, "claims": []any{}, "resource": 1}))
	f.Fuzz(func(t *testing.T, object string) {
		v, _, err := d.Read(context.Background(), c, object)
		switch {
		case err != nil && !errors.Is(err, ErrObject):
			t.Errorf("a fault: %v", err)
		case err == nil && v.Get("client_id") != "app":
			t.Error("another client's object")
		}
	})
}
