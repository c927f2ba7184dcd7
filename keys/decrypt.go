package keys

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
)

// Decrypter opens what was encrypted for one purpose. Ask again for each message; don't keep it longer than a request.
type Decrypter struct {
	recipients []jwe.Recipient
	published  jose.JWK
}

// Decrypt opens a compact JWE by the policy; see jwe.Decrypt for the errors. jose.ErrNoKey: the sender used a key that is no more, and should fetch ours.
func (d Decrypter) Decrypt(token string, p jwe.Policy) (jwe.Opened, error) {
	return jwe.Decrypt(token, p, d.recipients...)
}

// Keys are the public keys to publish, each with kid, alg and use. It is the newest key alone: from the day that a next key exists senders learn of that
// one only, so that when the old key is destroyed nobody who looked within PublishAhead uses it any more.
func (d Decrypter) Keys() []jose.JWK {
	if d.published.IsZero() {
		return nil
	}
	return []jose.JWK{d.published}
}

// Format writes no key.
func (d Decrypter) Format(f fmt.State, _ rune) { fmt.Fprint(f, "decrypter:", d.published.KeyID()) }

// Decrypter returns the decrypter of a purpose whose algorithm is jose.ECDHES: its active key and, once there is one, its next. It costs what Signer costs.
// Errors: ErrNoPurpose, ErrNoActiveKey, ErrSpec for a purpose that signs, ErrWrongKEK, or the Store's.
func (s *Service) Decrypter(ctx context.Context, p Purpose) (Decrypter, error) {
	snap, err := s.snapshot(ctx, p)
	if err != nil {
		return Decrypter{}, err
	}
	if !decrypts(snap.rec.Spec) {
		return Decrypter{}, fmt.Errorf("%w: %s signs, it doesn't decrypt", ErrSpec, p)
	}
	if len(snap.decrypter.recipients) == 0 {
		return Decrypter{}, fmt.Errorf("%w: %s", ErrNoActiveKey, p)
	}
	return snap.decrypter, nil
}

func decrypts(spec Spec) bool { return spec.Alg == jose.ECDHES }

// openDecrypter opens the keys of a purpose that aren't retired.
func (s *Service) openDecrypter(ctx context.Context, rec Record) (Decrypter, error) {
	var d Decrypter
	for _, state := range []State{Active, Next} { // the newest last
		k := rec.key(state)
		if k == nil {
			continue
		}
		private, err := s.custody.OpenAgreement(ctx, rec.Purpose, k.ID, k.Handle)
		if err != nil {
			return Decrypter{}, err
		}
		d.recipients, d.published = append(d.recipients, jwe.Recipient{ID: k.ID, Key: private}), k.Public
	}
	return d, nil
}

// agreement hides a key behind a pointer, as opaque does, and agrees only.
type agreement struct{ key *ecdh.PrivateKey }

// ECDH implements jwe.Agreement.
func (a *agreement) ECDH(remote *ecdh.PublicKey) ([]byte, error) { return a.key.ECDH(remote) }

// Format hides the key whatever the verb.
func (a *agreement) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "private key") }

// generateAgreement makes a key on P-256 that decrypts. It is sealed as another kind of thing than keys that sign.
func (s *Software) generateAgreement(p Purpose) (Generated, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return Generated{}, fmt.Errorf("keys: a new key: %w", err)
	}
	pub, err := jwe.PublicKey(key.PublicKey(), "")
	if err != nil {
		return Generated{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Generated{}, fmt.Errorf("keys: encoding a new key: %w", err)
	}
	handle := s.sealer.Seal("agreement", string(p)+"\x00"+pub.KeyID(), der)
	clear(der)
	return Generated{ID: pub.KeyID(), Public: pub, Handle: handle}, nil
}

// OpenAgreement implements Custody.
func (s *Software) OpenAgreement(_ context.Context, p Purpose, id, handle string) (jwe.Agreement, error) {
	der, err := s.sealer.Open("agreement", string(p)+"\x00"+id, handle)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", id, p, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	clear(der)
	key, ok := parsed.(*ecdsa.PrivateKey) // the standard library's form of any key on P-256
	if err != nil || !ok {
		return nil, fmt.Errorf("key %s of %s: %w", id, p, ErrSealBroken)
	}
	private, err := key.ECDH()
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", id, p, ErrSealBroken)
	}
	return &agreement{private}, nil
}
