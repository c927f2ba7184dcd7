// Package keys holds every private key of Hufu and hands out signers for one purpose each.
//
// A purpose (the OpenID provider's tokens, one authority's credentials, a role of the trust bundle ...) has exactly one
// active key. A key lives through four states: next (published, not used yet), active (signs), retired (verifies what it
// signed; its private half is already destroyed) and gone. Every change is one conditional step on the purpose's version
// in the [Store], so that two nodes that rotate at the same moment leave exactly one active key and no gap.
//
// Private keys are made and opened by a [Custody]. The built-in one seals them with a key-encryption key (KEK) that
// never enters the database. Purposes with a [CertificateSpec] get an X.509 end-entity certificate with each key, below
// one intermediate per kind and one national root; mdocs have a root of their own, the IACA. A purpose of jose.ECDHES
// decrypts ([Service.Decrypter]) and signs nothing.
//
// A single key ([Service.EnsureSingle]) belongs to one thing, such as a seal or a copy in the hosted wallet, is never rotated,
// and is destroyed with it.
//
// No private key appears in a log, an error, a String or a JSON text of this package.
package keys

import (
	"errors"

	"github.com/hufu-id/hufu/keys/kek"
)

// Errors of this package; test with errors.Is.
var (
	// ErrNoPurpose: the purpose was never ensured.
	ErrNoPurpose = errors.New("keys: unknown purpose")
	// ErrNoActiveKey: the purpose has no active key; only possible before Ensure has finished.
	ErrNoActiveKey = errors.New("keys: no active key")
	// ErrConcurrent: another node changed the purpose at the same moment and won; nothing was changed by this call.
	ErrConcurrent = errors.New("keys: changed by another node at the same moment")
	// ErrTooEarly: the next key isn't published long enough for every verifier to know it.
	ErrTooEarly = errors.New("keys: next key isn't published long enough")
	// ErrWeakKEK: the key-encryption key is missing, short, a sample or not random. The server must not start with it.
	ErrWeakKEK = kek.ErrWeak
	// ErrWrongKEK: something was sealed by another key-encryption key than the configured one.
	ErrWrongKEK = kek.ErrWrong
	// ErrSealBroken: sealed bytes were changed, or moved from another purpose, key or name.
	ErrSealBroken = kek.ErrBroken
	// ErrDestroyed: the single key existed and its private half was destroyed.
	ErrDestroyed = errors.New("keys: key was destroyed")
	// ErrAuthorityEnds: the intermediate's certificate ends before a certificate that it should sign.
	ErrAuthorityEnds = errors.New("keys: the authority's own certificate ends before it")
	// ErrSpec: a purpose or its specification can't be used.
	ErrSpec = errors.New("keys: specification can't be used")
)
