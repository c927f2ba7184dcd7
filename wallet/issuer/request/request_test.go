package request

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// FuzzParseRequest: whatever is sent, the parser answers with one of its own errors or a request whose parts are strings.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"credential_configuration_id":"driving-licence","proofs":{"jwt":["eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCJ9.e30.c2ln"]}}`,
		`{"credential_identifier":"x","proofs":{"attestation":["a"]}}`,
		`{"credential_configuration_id":"a","proof":{"proof_type":"jwt","jwt":"x"}}`,
		`{"credential_configuration_id":"a","credential_identifier":"b"}`,
		`{"credential_configuration_id":null,"proofs":null}`,
		`{"credential_configuration_id":"\u0061","credential_response_encryption":{}}`,
		`[]`, `null`, `"x"`, ``, `{"proofs":{"jwt":[[[[]]]]}}`, "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := Parse(b, 10)
		switch {
		case err == nil:
			if (req.ConfigurationID == "") == (req.Identifier == "") {
				t.Errorf("both or no id: %+v", req)
			}
			if !json.Valid(b) {
				t.Error("accepted what is no JSON")
			}
		case !errors.Is(err, ErrRequest) && !errors.Is(err, ErrProof):
			t.Errorf("not one of our errors: %v", err)
		}
	})
}

// zeros is randomness of a fuzz target: its workers are processes of their own and must agree on what is valid.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func fuzzNonces() Nonces {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	return Nonces{Key: make([]byte, 32), Now: func() time.Time { return now }, Rand: zeros{}}
}

// FuzzCheckProof: nothing passes but a proof that we made, unaltered. The key is Ed25519, whose signatures are deterministic.
func FuzzCheckProof(f *testing.F) {
	i := fuzzNonces()
	const id = "http://hufu.test/i/1199440000TRY002X9"
	key, err := jose.NewSigningKey(ed25519.NewKeyFromSeed(make([]byte, 32)), "")
	if err != nil {
		f.Fatal(err)
	}
	pub, err := key.Public()
	if err != nil {
		f.Fatal(err)
	}
	nonce, err := i.New(id)
	if err != nil {
		f.Fatal(err)
	}
	good, err := jose.SignJSON(key, jose.Header{Typ: proofTyp, JWK: &pub}, map[string]any{"aud": id, "iat": i.Now().Unix(), "nonce": nonce})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := i.CheckProofs(Proofs{JWT: []string{good}}, Rule{Identifier: id, Batch: 1}); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good, good[:len(good)-2], strings.Replace(good, ".", "..", 1), good + "=", "a.b.c", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := i.CheckProofs(Proofs{JWT: []string{s}}, Rule{Identifier: id, Batch: 1})
		if err == nil && s != good {
			t.Errorf("accepted %q", s)
		}
		if err != nil && !errors.Is(err, ErrProof) && !errors.Is(err, ErrNonce) {
			t.Errorf("not one of our errors: %v", err)
		}
	})
}

// FuzzCheckNonce: no text but one of ours is a nonce.
func FuzzCheckNonce(f *testing.F) {
	i := fuzzNonces()
	n, err := i.New("id")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{n, n + "=", n[1:], strings.ToLower(n), "", strings.Repeat("A", nonceEncoding)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := i.Check("id", s); (err == nil) != (s == n) {
			t.Errorf("%q: %v", s, err)
		}
	})
}

// BenchmarkCheckProof is what a refused proof can cost us at most: one signature check.
func BenchmarkCheckProof(b *testing.B) {
	i := Nonces{Key: make([]byte, 32), Now: time.Now, Rand: rand.Reader}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		b.Fatal(err)
	}
	pub, _ := key.Public()
	nonce, _ := i.New("id")
	compact, err := jose.SignJSON(key, jose.Header{Typ: proofTyp, JWK: &pub}, map[string]any{"aud": "id", "iat": time.Now().Unix(), "nonce": nonce})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := i.CheckProofs(Proofs{JWT: []string{compact}}, Rule{Identifier: "id", Batch: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
