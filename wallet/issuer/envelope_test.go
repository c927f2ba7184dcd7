package issuer_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// box is a key that somebody encrypts for.
type box struct {
	key *ecdh.PrivateKey
	pub jose.JWK
}

func newBox(t testing.TB, kid string) box {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	pub, err := jwe.PublicKey(key.PublicKey(), kid)
	must(t, err)
	return box{key, pub}
}

func (b box) Keys() []jose.JWK { return []jose.JWK{b.pub} }

func (b box) Decrypt(token string, p jwe.Policy) (jwe.Opened, error) {
	return jwe.Decrypt(token, p, jwe.Recipient{ID: b.pub.KeyID(), Key: b.key})
}

// jwk is the public key as JSON members, changed.
func (b box) jwk(t testing.TB, change func(m map[string]any)) map[string]any {
	t.Helper()
	text, err := json.Marshal(b.pub)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(text, &m))
	if change != nil {
		change(m)
	}
	return m
}

func (b box) seal(t testing.TB, payload string) string {
	t.Helper()
	token, err := jwe.Encrypt(b.pub, jwe.A256GCM, jwe.Header{}, []byte(payload))
	must(t, err)
	return token
}

func eachEncrypted(t *testing.T, run func(t *testing.T, w *world, ours box), change ...func(*issuer.Config)) {
	ours := newBox(t, "ours")
	change = append(change, func(c *issuer.Config) {
		c.Decrypter = func(context.Context) (issuer.Decrypter, error) { return ours, nil }
	})
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { run(t, newWorld(t, sqltest.DSN(t, engine), change...), ours) })
	}
}

func (w *world) sealed(bearer, endpoint, token string) answer {
	w.t.Helper()
	return w.send("POST", "/i/"+traffic+"/"+endpoint, "application/jwt", token, "Authorization", "Bearer "+bearer)
}

// wanting is a Credential Request that wants an encrypted answer.
func wanting(t testing.TB, proof string, parameters any) string {
	t.Helper()
	p, err := json.Marshal(parameters)
	must(t, err)
	return strings.TrimSuffix(credentialBody(proof), "}") + `,"credential_response_encryption":` + string(p) + `}`
}

// opened is an answer that only the wallet can read.
func (a answer) opened(t testing.TB, b box, status int) said {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/jwt" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	o, err := b.Decrypt(string(a.body), jwe.Policy{Encs: jwe.DecryptEncs(), Max: 1 << 20}) // without Zip: it must not be compressed
	must(t, err)
	var s said
	must(t, json.Unmarshal(o.Payload, &s))
	return s
}

func refusedPlainly(t *testing.T, name string, a answer, want string) {
	t.Helper()
	if a.status != 400 || a.code() != want || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %s %s, not %s", name, a.status, a.header.Get("Content-Type"), a.body, want)
	}
}

func TestEncryptedAnswersP10(t *testing.T) {
	eachEncrypted(t, func(t *testing.T, w *world, ours box) {
		theirs := newBox(t, "theirs")
		parameters := func(change func(m map[string]any)) map[string]any {
			m := map[string]any{"jwk": theirs.jwk(t, nil), "enc": "A256GCM"}
			if change != nil {
				change(m)
			}
			return m
		}
		jwk := func(change func(m map[string]any)) map[string]any {
			return parameters(func(m map[string]any) { m["jwk"] = theirs.jwk(t, change) })
		}
		for name, p := range map[string]map[string]any{
			"as it should be": parameters(nil),
			"A128GCM":         parameters(func(m map[string]any) { m["enc"] = "A128GCM" }),
			"zip DEF":         parameters(func(m map[string]any) { m["zip"] = "DEF" }),
			"unknown members": parameters(func(m map[string]any) { m["x"] = 1 }),
			"no kid":          jwk(func(m map[string]any) { delete(m, "kid") }),
			"no use":          jwk(func(m map[string]any) { delete(m, "use") }),
			"neither":         jwk(func(m map[string]any) { delete(m, "use"); delete(m, "kid") }),
			"unknown in key":  jwk(func(m map[string]any) { m["x-y"] = 1 }),
		} {
			reader := theirs
			if _, named := p["jwk"].(map[string]any)["kid"]; !named {
				reader.pub = jose.JWK{} // the answer names no key then
			}
			got := w.sealed(w.personToken("loa3"), "credential", ours.seal(t, wanting(t, w.proof(nil), p)))
			if s := got.opened(t, reader, 200); len(s.Credentials) != 1 || s.Notification == "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
		before := w.count("issuer_issuances") + w.count("claims")
		for name, p := range map[string]any{
			"P10 null":            nil,
			"P10 a list":          []any{},
			"P10 no members":      map[string]any{},
			"P10 no enc":          parameters(func(m map[string]any) { delete(m, "enc") }),
			"P10 enc unpublished": parameters(func(m map[string]any) { m["enc"] = "A128CBC-HS256" }),
			"P10 enc unknown":     parameters(func(m map[string]any) { m["enc"] = "none" }),
			"P10 enc a number":    parameters(func(m map[string]any) { m["enc"] = 256 }),
			"P10 zip unknown":     parameters(func(m map[string]any) { m["zip"] = "GZIP" }),
			"P10 zip of a case":   parameters(func(m map[string]any) { m["zip"] = "def" }),
			"P10 zip null":        parameters(func(m map[string]any) { m["zip"] = nil }),
			"P10 no jwk":          parameters(func(m map[string]any) { delete(m, "jwk") }),
			"P10 jwk a text":      parameters(func(m map[string]any) { m["jwk"] = "key" }),
			"P10 no alg":          jwk(func(m map[string]any) { delete(m, "alg") }),
			"P10 alg unpublished": jwk(func(m map[string]any) { m["alg"] = "ECDH-ES+A128KW" }),
			"P10 alg of RSA":      jwk(func(m map[string]any) { m["alg"] = "RSA-OAEP-256" }),
			"P10 alg signs":       jwk(func(m map[string]any) { m["alg"] = "ES256" }),
			"P10 use sig":         jwk(func(m map[string]any) { m["use"] = "sig" }),
			"P10 not on curve":    jwk(func(m map[string]any) { m["y"] = m["x"] }),
			"P10 private":         jwk(func(m map[string]any) { m["d"] = m["x"] }),
			"P10 symmetric":       jwk(func(m map[string]any) { m["kty"], m["k"] = "oct", m["x"] }),
		} {
			a := w.sealed(w.personToken("loa3"), "credential", ours.seal(t, wanting(t, w.proof(nil), p)))
			refusedPlainly(t, name, a, "invalid_encryption_parameters")
		}
		// Who can change a request in the clear could have the answer encrypted for himself.
		refusedPlainly(t, "P10 in the clear", w.request(w.personToken("loa3"), wanting(t, w.proof(nil), parameters(nil))), "invalid_encryption_parameters")
		// Errors are never encrypted, whatever was wanted.
		a := w.sealed(w.personToken("loa3"), "credential", ours.seal(t, wanting(t, "no proof", parameters(nil))))
		refusedPlainly(t, "no proof", a, "invalid_proof")
		if n := w.count("issuer_issuances") + w.count("claims"); n != before {
			t.Errorf("%d rows were written", n-before)
		}
		if s := w.sealed(w.personToken("loa3"), "credential", ours.seal(t, credentialBody(w.proof(nil)))).said(t, 200); len(s.Credentials) != 1 {
			t.Errorf("plain answer: %+v", s)
		}
	})
}

// deflated is a request that says it is compressed.
func (b box) deflated(t testing.TB, payload []byte) string {
	t.Helper()
	var z bytes.Buffer
	f, err := flate.NewWriter(&z, flate.BestCompression)
	must(t, err)
	_, err = f.Write(payload)
	must(t, err)
	must(t, f.Close())
	return sealRaw(t, b, z.Bytes(), map[string]any{"zip": "DEF"})
}

func TestEncryptedRequestsP10(t *testing.T) {
	eachEncrypted(t, func(t *testing.T, w *world, ours box) {
		good := func() string { return credentialBody(w.proof(nil)) }
		part := func(n int, text string) string {
			parts := strings.Split(ours.seal(t, good()), ".")
			parts[n] = text
			return strings.Join(parts, ".")
		}
		stranger := newBox(t, "stranger")
		impostor := newBox(t, "ours")
		send := func(token string) answer { return w.sealed(w.personToken("loa3"), "credential", token) }
		send(ours.seal(t, good())).said(t, 200)
		send(ours.deflated(t, []byte(good()))).said(t, 200)
		send(sealRaw(t, ours, []byte(good()), nil)).said(t, 200)
		before := w.count("issuer_issuances") + w.count("claims")
		const parameters, request = "invalid_encryption_parameters", "invalid_credential_request"
		for name, c := range map[string]struct{ token, want string }{
			"P10 empty":                 {"", parameters},
			"P10 dots":                  {"....", parameters},
			"P10 plain":                 {good(), parameters},
			"P10 a signed one":          {w.proof(nil), parameters},
			"P10 a key for no wrapping": {part(1, "AAAA"), parameters},
			"P10 a huge key":            {part(1, strings.Repeat("A", 60000)), parameters},
			"P10 no nonce":              {part(2, ""), parameters},
			"P10 no text":               {part(3, ""), parameters},
			"P10 another tag":           {part(4, strings.Repeat("A", 22)), parameters},
			"P10 no tag":                {part(4, ""), parameters},
			"P10 unknown kid":           {stranger.seal(t, good()), parameters},
			"P10 another key":           {impostor.seal(t, good()), parameters},
			"P10 alg dir":               {sealRaw(t, ours, []byte(good()), map[string]any{"alg": "dir"}), parameters},
			"P10 alg wraps":             {sealRaw(t, ours, []byte(good()), map[string]any{"alg": "ECDH-ES+A256KW"}), parameters},
			"P10 enc unpublished":       {sealRaw(t, ours, []byte(good()), map[string]any{"enc": "A192GCM"}), parameters},
			"P10 crit":                  {sealRaw(t, ours, []byte(good()), map[string]any{"crit": []string{"x"}, "x": 1}), parameters},
			"P10 zip unknown":           {sealRaw(t, ours, []byte(good()), map[string]any{"zip": "GZIP"}), parameters},
			"P10 zip of plain text":     {sealRaw(t, ours, []byte(good()), map[string]any{"zip": "DEF"}), parameters},
			"P10 inflates to too much":  {ours.deflated(t, bytes.Repeat([]byte(" "), 10<<20)), parameters},
			"P10 nested":                {ours.seal(t, ours.seal(t, good())), request},
			"P10 nothing in it":         {ours.seal(t, ""), request},
			"P10 a list in it":          {ours.seal(t, "[]"), request},
			"P10 deep":                  {ours.seal(t, strings.Repeat(`{"a":`, 5000)), request},
			"P10 a member twice":        {ours.seal(t, `{"credential_configuration_id":"x",`+good()[1:]), request},
		} {
			refusedPlainly(t, name, send(c.token), c.want)
		}
		if a := send(strings.Repeat("A", 200<<10)); a.status != 413 {
			t.Errorf("huge: %d %s", a.status, a.body)
		}
		refusedPlainly(t, "P10 under another type", w.request(w.personToken("loa3"), ours.seal(t, good())), request)
		if n := w.count("issuer_issuances") + w.count("claims"); n != before {
			t.Errorf("%d rows were written", n-before)
		}
		for _, mediaType := range []string{"application/jwt", "Application/JWT", "application/jwt; charset=utf-8"} {
			large := strings.TrimSuffix(good(), "}") + `,"x":"` + strings.Repeat("x", 40<<10) + `"}`
			a := w.send("POST", "/i/"+traffic+"/credential", mediaType, ours.seal(t, large), "Authorization", "Bearer "+w.personToken("loa3"))
			if a.status != 200 {
				t.Errorf("%s: %d %s", mediaType, a.status, a.body)
			}
		}
	})
}

func TestEncryptionIsRequiredP10(t *testing.T) {
	eachEncrypted(t, func(t *testing.T, w *world, ours box) {
		theirs := newBox(t, "theirs")
		p := map[string]any{"jwk": theirs.jwk(t, nil), "enc": "A128GCM"}
		refusedPlainly(t, "P10 neither", w.request(w.personToken("loa3"), credentialBody(w.proof(nil))), "invalid_encryption_parameters")
		a := w.sealed(w.personToken("loa3"), "credential", ours.seal(t, credentialBody(w.proof(nil))))
		refusedPlainly(t, "P10 no key for the answer", a, "invalid_encryption_parameters")
		w.sealed(w.personToken("loa3"), "credential", ours.seal(t, wanting(t, w.proof(nil), p))).opened(t, theirs, 200)
		var m struct {
			Request struct {
				Required bool `json:"encryption_required"`
				JWKS     struct{ Keys []map[string]any }
				Encs     []string `json:"enc_values_supported"`
			} `json:"credential_request_encryption"`
			Response struct {
				Required bool     `json:"encryption_required"`
				Algs     []string `json:"alg_values_supported"`
				Encs     []string `json:"enc_values_supported"`
			} `json:"credential_response_encryption"`
		}
		must(t, json.Unmarshal(w.send("GET", "/.well-known/openid-credential-issuer/i/"+traffic, "", "").body, &m))
		if !m.Request.Required || !m.Response.Required || len(m.Request.JWKS.Keys) != 1 || m.Request.JWKS.Keys[0]["kid"] != "ours" || m.Request.JWKS.Keys[0]["alg"] != "ECDH-ES" ||
			!slices.Equal(m.Response.Algs, jwe.DecryptAlgs()) || !slices.Equal(m.Response.Encs, jwe.DecryptEncs()) || !slices.Equal(m.Request.Encs, m.Response.Encs) {
			t.Errorf("%+v", m)
		}
	}, func(c *issuer.Config) { c.EncryptRequests, c.EncryptResponses = true, true })
}

// Where requests must be encrypted and answers need not be, nothing else stands in the way of a plain request.
func TestRequestEncryptionAloneIsRequiredP10(t *testing.T) {
	eachEncrypted(t, func(t *testing.T, w *world, ours box) {
		refusedPlainly(t, "P10 plain", w.request(w.personToken("loa3"), credentialBody(w.proof(nil))), "invalid_encryption_parameters")
		w.sealed(w.personToken("loa3"), "credential", ours.seal(t, credentialBody(w.proof(nil)))).said(t, 200)
	}, func(c *issuer.Config) { c.EncryptRequests = true })
}

// Of a deferred request its own parameters count, and wrong ones use nothing up.
func TestDeferredIsEncryptedAsItAsksP10(t *testing.T) {
	eachEncrypted(t, func(t *testing.T, w *world, ours box) {
		w.byHand()
		first, second := newBox(t, "first"), newBox(t, "second")
		token := w.personToken("loa3")
		asked := wanting(t, w.proof(nil), map[string]any{"jwk": first.jwk(t, nil), "enc": "A256GCM"})
		promise := w.sealed(token, "credential", ours.seal(t, asked)).opened(t, first, 202)
		fetch := func(parameters any) string {
			b, err := json.Marshal(map[string]any{"transaction_id": promise.Transaction, "credential_response_encryption": parameters})
			must(t, err)
			return ours.seal(t, string(b))
		}
		good := map[string]any{"jwk": second.jwk(t, nil), "enc": "A128GCM"}
		if again := w.sealed(token, "deferred_credential", fetch(good)).opened(t, second, 202); again.Transaction != promise.Transaction || again.Interval != 300 {
			t.Errorf("%+v", again)
		}
		w.decide(traffic, decision("released", ""))
		refusedPlainly(t, "P10 no enc", w.sealed(token, "deferred_credential", fetch(map[string]any{"jwk": second.jwk(t, nil)})), "invalid_encryption_parameters")
		refusedPlainly(t, "P10 in the clear", w.post("deferred_credential", token, map[string]any{"transaction_id": promise.Transaction,
			"credential_response_encryption": good}), "invalid_encryption_parameters")
		if s := w.sealed(token, "deferred_credential", fetch(good)).opened(t, second, 200); len(s.Credentials) != 1 {
			t.Errorf("%+v", s)
		}
		plain := w.promisedAgain(t, token)
		w.decide(traffic, decision("released", ""))
		w.fetch(token, plain).said(t, 200)
	})
}

// promisedAgain has the licence wait again.
func (w *world) promisedAgain(t testing.TB, token string) string {
	_, err := w.db.Exec(context.Background(), `DELETE FROM issuer_releases`)
	must(t, err)
	return w.promised(token)
}
