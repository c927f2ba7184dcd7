package keys

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/keys/kek"
)

// Custody makes and opens private keys. It is safe for concurrent use. Another custody than Software keeps keys in a
// device; its handles name them there.
type Custody interface {
	// Generate makes a key for a purpose, also for jose.ECDHES. The id is the thumbprint of the public key.
	Generate(ctx context.Context, p Purpose, alg jose.Alg) (Generated, error)
	// Open returns the signer of a handle that Generate made for the same purpose and id; a handle that was moved from
	// another key fails with ErrSealBroken.
	Open(ctx context.Context, p Purpose, id, handle string) (crypto.Signer, error)
	// OpenAgreement is Open for a key of jose.ECDHES. Neither opens the other's handles.
	OpenAgreement(ctx context.Context, p Purpose, id, handle string) (jwe.Agreement, error)
}

// Generated is a new key of a Custody.
type Generated struct {
	ID     string
	Public jose.JWK // with kid and alg
	Handle string
}

// Software is the custody that seals keys with a key-encryption key and keeps them opened in memory while they are used.
type Software struct{ sealer *kek.Sealer }

// NewSoftware returns a software custody. It refuses a KEK that isn't random (ErrWeakKEK).
func NewSoftware(key [32]byte) (*Software, error) {
	s, err := kek.NewSealer(key)
	if err != nil {
		return nil, err
	}
	return &Software{sealer: s}, nil
}

// Generate implements Custody.
func (s *Software) Generate(_ context.Context, p Purpose, alg jose.Alg) (Generated, error) {
	if alg == jose.ECDHES {
		return s.generateAgreement(p)
	}
	key, err := jose.GenerateKey(alg)
	if err != nil {
		return Generated{}, err
	}
	pub, err := key.Public()
	if err != nil {
		return Generated{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key.Key)
	if err != nil {
		return Generated{}, fmt.Errorf("keys: encoding a new key: %w", err)
	}
	handle := s.sealer.Seal("key", string(p)+"\x00"+key.ID, der)
	clear(der)
	return Generated{ID: key.ID, Public: pub.WithUse("sig"), Handle: handle}, nil
}

// Open implements Custody.
func (s *Software) Open(_ context.Context, p Purpose, id, handle string) (crypto.Signer, error) {
	der, err := s.sealer.Open("key", string(p)+"\x00"+id, handle)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", id, p, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	clear(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("key %s of %s: %w", id, p, ErrSealBroken)
	}
	return &opaque{signer}, nil
}

// opaque hides a key behind a pointer: fmt would print an ed25519.PrivateKey, a byte slice, in full from any struct.
type opaque struct{ key crypto.Signer }

func (o *opaque) Public() crypto.PublicKey { return o.key.Public() }

func (o *opaque) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.key.Sign(r, digest, opts)
}

// String hides the key.
func (o *opaque) String() string { return "private key" }

// Format hides the key whatever the verb.
func (o *opaque) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.String()) }

// LogValue hides the key.
func (o *opaque) LogValue() slog.Value { return slog.StringValue(o.String()) }

// The key-encryption key: see package kek.
var (
	ParseKEK = kek.Parse
	ReadKEK  = kek.Read
	NewKEK   = kek.New
)
