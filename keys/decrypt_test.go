package keys_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
)

func decrypter(t *testing.T, s *keys.Service) keys.Decrypter {
	t.Helper()
	d, err := s.Decrypter(t.Context(), keys.CredentialRequest)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A wallet that fetched our keys within PublishAhead is always understood, and a key that is retired opens nothing more: what was recorded on the wire
// stays closed to whoever takes our machines later.
func TestDecrypterRotates(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	spec := keys.Spec{Alg: jose.ECDHES, RotateEvery: 30 * 24 * time.Hour, PublishAhead: 24 * time.Hour, Keep: time.Hour}
	if err := s.Ensure(t.Context(), keys.CredentialRequest, spec); err != nil {
		t.Fatal(err)
	}
	policy := jwe.Policy{Encs: jwe.DecryptEncs()}
	send := func() string {
		set, err := s.JWKS(t.Context(), keys.CredentialRequest)
		if err != nil || len(set) != 1 {
			t.Fatalf("published: %v, %v", set, err)
		}
		k := set[0]
		text, err := k.MarshalJSON()
		if err != nil || k.KeyID() != k.Thumbprint() || !strings.Contains(string(text), `"use":"enc"`) || !strings.Contains(string(text), `"alg":"ECDH-ES"`) ||
			strings.Contains(string(text), `"d"`) {
			t.Fatalf("published: %s, %v", text, err)
		}
		token, err := jwe.Encrypt(k, jwe.A256GCM, jwe.Header{}, []byte("please"))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	reads := func(token string) error {
		got, err := decrypter(t, s).Decrypt(token, policy)
		if err == nil && string(got.Payload) != "please" {
			t.Errorf("read %q", got.Payload)
		}
		return err
	}
	tick := func(d time.Duration) {
		c.advance(d)
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first := send()
	if err := reads(first); err != nil {
		t.Fatal(err)
	}
	tick(29 * 24 * time.Hour) // the next key is made
	second := send()
	if states(t, s, keys.CredentialRequest) != "active next" || reads(first) != nil || reads(second) != nil {
		t.Fatalf("%s: %v, %v", states(t, s, keys.CredentialRequest), reads(first), reads(second))
	}
	tick(24 * time.Hour) // and becomes the active one
	if err := reads(second); states(t, s, keys.CredentialRequest) != "active retired" || err != nil {
		t.Fatalf("%s: %v", states(t, s, keys.CredentialRequest), err)
	}
	if err := reads(first); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("a retired key still decrypts: %v", err)
	}
	if err := reads(send()); err != nil {
		t.Error(err)
	}
}

// A key does one thing: a purpose that decrypts signs nothing, and the other way round, not even through the custody.
func TestDecryptingAndSigningAreApart(t *testing.T) {
	s := keystest.New(t, nil)
	spec := keys.Spec{Alg: jose.ECDHES}
	if err := s.Ensure(t.Context(), keys.CredentialRequest, spec); err != nil {
		t.Fatal(err)
	}
	ensure(t, s, keys.OIDC, keys.Spec{})
	if _, err := s.Signer(t.Context(), keys.CredentialRequest); !errors.Is(err, keys.ErrSpec) {
		t.Errorf("Signer: %v", err)
	}
	if _, err := s.Decrypter(t.Context(), keys.OIDC); !errors.Is(err, keys.ErrSpec) {
		t.Errorf("Decrypter: %v", err)
	}
	if _, err := s.Decrypter(t.Context(), keys.Status); !errors.Is(err, keys.ErrNoPurpose) {
		t.Errorf("Decrypter: %v", err)
	}
	kek, _ := keys.NewKEK()
	custody, err := keys.NewSoftware(kek)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []jose.Alg{jose.ECDHES, jose.ES256} {
		gen, err := custody.Generate(t.Context(), keys.CredentialRequest, alg)
		if err != nil {
			t.Fatal(err)
		}
		_, signErr := custody.Open(t.Context(), keys.CredentialRequest, gen.ID, gen.Handle)
		key, agreeErr := custody.OpenAgreement(t.Context(), keys.CredentialRequest, gen.ID, gen.Handle)
		if (signErr == nil) != (alg == jose.ES256) || (agreeErr == nil) != (alg == jose.ECDHES) {
			t.Errorf("%s: signs %v, agrees %v", alg, signErr, agreeErr)
		}
		if alg == jose.ECDHES {
			if text := fmt.Sprintf("%v %+v %#v %s %d", key, key, key, key, key); strings.ReplaceAll(text, "private key", "") != "    " {
				t.Errorf("T03: %s", text)
			}
			if _, err := custody.OpenAgreement(t.Context(), keys.OIDC, gen.ID, gen.Handle); !errors.Is(err, keys.ErrSealBroken) {
				t.Errorf("a handle of another purpose: %v", err)
			}
		}
	}
	d := decrypter(t, s)
	if text := fmt.Sprintf("%v %+v %#v", d, d, d); strings.Count(text, "decrypter:") != 3 || len(text) > 200 {
		t.Errorf("T03: %s", text)
	}
}
