package keys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys/kek"
)

// DefaultCacheTTL is how long a node uses its keys without asking the database whether they were rotated.
const DefaultCacheTTL = 2 * time.Second

// Config is what a Service needs. Store and KEK are required.
type Config struct {
	Store Store
	// KEK seals keys and secrets. It comes from a file or a device, never from the database; see ReadKEK.
	KEK [32]byte
	// Custody keeps private keys; nil means Software under the KEK.
	Custody Custody
	// Name is the national authority's name in certificates, at most 40 characters; "" means "Hufu".
	Name string
	// Country is the ISO 3166 code in certificates; "" means "CN".
	Country string
	// Contact is a URL at which the authority can be reached, and CRL where its revocation list is: for the certificates of the IACA, which can't be made
	// without a Contact.
	Contact, CRL string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// CacheTTL is how long keys are used unasked; 0 means DefaultCacheTTL, below 0 asks every time.
	CacheTTL time.Duration
}

// Service makes, rotates and lends out keys. It is safe for concurrent use; any number of nodes may share one Store.
type Service struct {
	cfg     Config
	custody Custody
	sealer  *kek.Sealer

	mu      sync.Mutex // never held while asking the Store: callers may hold all its connections
	cache   map[Purpose]*snapshot
	secrets map[string][]byte
	list    crl
}

// Format writes no more than the type: a service holds secrets.
func (s *Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keys.Service") }

// snapshot is one purpose as of one version, with its signer opened.
type snapshot struct {
	rec        Record
	signer     Signer    // zero without an active key
	decrypter  Decrypter // zero for a purpose that signs
	checked    time.Time
	refreshing bool
}

// Open returns a service. It refuses a missing, short, sample or patterned KEK (ErrWeakKEK). It touches neither the
// database nor any key.
func Open(_ context.Context, cfg Config) (*Service, error) {
	if cfg.Store == nil {
		return nil, errors.New("keys: no store")
	}
	sealer, err := kek.NewSealer(cfg.KEK)
	if err != nil {
		return nil, err
	}
	cfg.KEK = [32]byte{} // the cipher has it now; no second copy stays around
	if cfg.Custody == nil {
		cfg.Custody = &Software{sealer: sealer}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheTTL == 0 {
		cfg.CacheTTL = DefaultCacheTTL
	}
	if cfg.Name == "" {
		cfg.Name = "Hufu"
	}
	if cfg.Country == "" {
		cfg.Country = "CN"
	}
	if len([]rune(cfg.Name)) > 40 || len(cfg.Country) != 2 {
		return nil, fmt.Errorf("%w: name or country of the authority", ErrSpec)
	}
	return &Service{cfg: cfg, custody: cfg.Custody, sealer: sealer,
		cache: map[Purpose]*snapshot{}, secrets: map[string][]byte{}}, nil
}

// Signer signs for one purpose with the key that was active when it was asked for. Ask again for each signature; don't
// keep it longer than a request.
type Signer struct {
	key   jose.SigningKey
	pub   jose.JWK
	chain [][]byte
}

// Key returns the key for jose.Sign. Its private half can't be read from it.
func (s Signer) Key() jose.SigningKey { return s.key }

// Public returns the public half, with kid, alg and use.
func (s Signer) Public() jose.JWK { return s.pub }

// Chain returns the certificates for "x5c" in DER: leaf and intermediate, never the root. It is nil when the purpose has
// no certificate. Don't change it.
func (s Signer) Chain() [][]byte { return s.chain }

// String names the key.
func (s Signer) String() string { return s.key.String() }

// Format writes String for every verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.key.String()) }

// LogValue is String.
func (s Signer) LogValue() slog.Value { return s.key.LogValue() }

// MarshalJSON writes String.
func (s Signer) MarshalJSON() ([]byte, error) { return json.Marshal(s.key.String()) }

// Ensure makes the purpose and its first active key if there is none, and stores a changed spec. A spec whose algorithm or
// certificate differs from the stored one replaces the active key at once. Idempotent; nodes that start together agree
// on one key. Don't call it inside a transaction: a key that is rolled back must not have been used.
func (s *Service) Ensure(ctx context.Context, p Purpose, spec Spec) error {
	spec = spec.withDefaults()
	if err := spec.check(p); err != nil {
		return err
	}
	if err := s.cfg.Store.Create(ctx, p, spec); err != nil {
		return fmt.Errorf("keys: ensure %s: %w", p, err)
	}
	for range 8 {
		rec, err := s.cfg.Store.Load(ctx, p)
		if err != nil {
			return fmt.Errorf("keys: ensure %s: %w", p, err)
		}
		change, err := s.towards(ctx, rec, spec)
		if err != nil || change == nil {
			return err
		}
		err = s.apply(ctx, rec, *change)
		if !errors.Is(err, ErrConcurrent) {
			return err
		}
	}
	return ErrConcurrent
}

// towards returns the change that brings rec to spec with an active key, or nil when nothing is to be done.
func (s *Service) towards(ctx context.Context, rec Record, spec Spec) (*Change, error) {
	active, next := rec.key(Active), rec.key(Next)
	sameKey := rec.Spec.Alg == spec.Alg && equalCertificate(rec.Spec.Certificate, spec.Certificate)
	sameSpec := sameKey && rec.Spec.RotateEvery == spec.RotateEvery && rec.Spec.PublishAhead == spec.PublishAhead &&
		rec.Spec.Keep == spec.Keep
	if active != nil && sameSpec {
		return nil, nil
	}
	c := &Change{Actor: "system", At: s.now(), Spec: &spec}
	if active != nil && sameKey {
		return c, nil
	}
	if active != nil {
		c.Retire, c.Expires = active.ID, c.At.Add(spec.Keep)
	}
	if next != nil {
		c.Discard = next.ID
	}
	key, err := s.newKey(ctx, rec.Purpose, spec, Active)
	c.Insert = key
	return c, err
}

func equalCertificate(a, b *CertificateSpec) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// newKey makes a key, with a certificate when the spec asks for one. It is stored by the caller.
func (s *Service) newKey(ctx context.Context, p Purpose, spec Spec, state State) (*Key, error) {
	gen, err := s.custody.Generate(ctx, p, spec.Alg)
	if err != nil {
		return nil, fmt.Errorf("keys: new key for %s: %w", p, err)
	}
	now := s.now()
	k := &Key{ID: gen.ID, Purpose: p, State: state, Alg: spec.Alg, Public: gen.Public, Handle: gen.Handle, CreatedAt: now}
	if state == Active {
		k.ActivatedAt = now
	}
	if spec.Certificate != nil {
		k.Chain, err = s.issue(ctx, spec, gen.Public.Public(), now)
		if err != nil {
			return nil, fmt.Errorf("keys: certificate for %s: %w", p, err)
		}
	}
	return k, nil
}

// apply makes the change and forgets what is cached of the purpose.
func (s *Service) apply(ctx context.Context, rec Record, c Change) error {
	err := s.cfg.Store.Apply(ctx, rec.Purpose, rec.Version, c)
	s.mu.Lock()
	delete(s.cache, rec.Purpose)
	s.mu.Unlock()
	if errors.Is(err, ErrLost) {
		return fmt.Errorf("%w: %s", ErrConcurrent, rec.Purpose)
	}
	if err != nil {
		return fmt.Errorf("keys: %s: %w", rec.Purpose, err)
	}
	return nil
}

// Signer returns the signer of the purpose's active key. It costs a lock, and every CacheTTL one small query. Errors:
// ErrNoPurpose, ErrNoActiveKey, ErrWrongKEK, or the Store's.
func (s *Service) Signer(ctx context.Context, p Purpose) (Signer, error) {
	snap, err := s.snapshot(ctx, p)
	if err != nil {
		return Signer{}, err
	}
	if decrypts(snap.rec.Spec) {
		return Signer{}, fmt.Errorf("%w: %s decrypts, it doesn't sign", ErrSpec, p)
	}
	if snap.signer.key.Key == nil {
		return Signer{}, fmt.Errorf("%w: %s", ErrNoActiveKey, p)
	}
	return snap.signer, nil
}

// Keys returns the purpose's keys that aren't gone, the active one first. Verify what we signed ourselves with these and
// [Key.SignedAt].
func (s *Service) Keys(ctx context.Context, p Purpose) ([]Key, error) {
	snap, err := s.snapshot(ctx, p)
	if err != nil {
		return nil, err
	}
	return slices.Clone(snap.rec.Keys), nil
}

// JWKS returns the public keys to publish: active, next and retired, each with kid, alg and use; of a purpose that decrypts those of its Decrypter.
func (s *Service) JWKS(ctx context.Context, p Purpose) ([]jose.JWK, error) {
	snap, err := s.snapshot(ctx, p)
	if err != nil {
		return nil, err
	}
	if decrypts(snap.rec.Spec) {
		return snap.decrypter.Keys(), nil
	}
	set := make([]jose.JWK, len(snap.rec.Keys))
	for i, k := range snap.rec.Keys {
		set[i] = k.Public
	}
	return set, nil
}

// snapshot returns the purpose as it is or was at most CacheTTL ago. While one caller refreshes, the others go on with
// what they have.
func (s *Service) snapshot(ctx context.Context, p Purpose) (*snapshot, error) {
	now := s.now()
	s.mu.Lock()
	old := s.cache[p]
	if old != nil && (old.refreshing || now.Sub(old.checked) < s.cfg.CacheTTL) {
		s.mu.Unlock()
		return old, nil
	}
	if old != nil && s.cfg.CacheTTL > 0 {
		old.refreshing = true
	}
	s.mu.Unlock()
	fresh, err := s.refresh(ctx, p, old)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		old.refreshing = false
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("%w: %s", ErrNoPurpose, p)
	case err != nil:
		return nil, fmt.Errorf("keys: %s: %w", p, err)
	case s.cache[p] == old: // else a change has happened meanwhile, and ours may be from before it
		fresh.checked = now
		s.cache[p] = fresh
	}
	return fresh, nil
}

// refresh loads the purpose anew, or returns a copy of old when its version hasn't changed.
func (s *Service) refresh(ctx context.Context, p Purpose, old *snapshot) (*snapshot, error) {
	if old != nil {
		version, err := s.cfg.Store.Version(ctx, p)
		if err != nil {
			return nil, err
		}
		if version == old.rec.Version {
			return &snapshot{rec: old.rec, signer: old.signer, decrypter: old.decrypter}, nil
		}
	}
	rec, err := s.cfg.Store.Load(ctx, p)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rec.Keys, func(a, b Key) int { return order(a.State) - order(b.State) })
	snap := &snapshot{rec: rec}
	active := rec.key(Active)
	switch {
	case active == nil:
	case decrypts(rec.Spec):
		if snap.decrypter, err = s.openDecrypter(ctx, rec); err != nil {
			return nil, err
		}
	case old != nil && old.signer.key.ID == active.ID:
		snap.signer = old.signer
	default:
		private, err := s.custody.Open(ctx, p, active.ID, active.Handle)
		if err != nil {
			return nil, err
		}
		snap.signer = Signer{key: jose.SigningKey{ID: active.ID, Alg: active.Alg, Key: private}, pub: active.Public, chain: active.Chain}
	}
	return snap, nil
}

func order(s State) int { return slices.Index([]State{Active, Next, Retired, Gone}, s) }

// key returns the first key in a state, or nil.
func (r Record) key(state State) *Key {
	for i := range r.Keys {
		if r.Keys[i].State == state {
			return &r.Keys[i]
		}
	}
	return nil
}

// now is in the precision of the Store.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Secret returns the 32 random bytes of a name, made once and sealed by the KEK: salts, MAC keys, cookie keys. All nodes
// get the same. The result is the caller's own copy.
func (s *Service) Secret(ctx context.Context, name string) ([]byte, error) {
	if name == "" || len(name) > 64 || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("%w: name of a secret", ErrSpec)
	}
	s.mu.Lock()
	cached := slices.Clone(s.secrets[name])
	s.mu.Unlock()
	if cached != nil {
		return cached, nil
	}
	sealed, err := s.cfg.Store.Secret(ctx, name)
	if errors.Is(err, ErrNotFound) {
		var fresh [32]byte
		_, _ = rand.Read(fresh[:]) // never fails since Go 1.24
		if err = s.cfg.Store.InsertSecret(ctx, name, s.sealer.Seal("secret", name, fresh[:]), s.now()); err == nil {
			sealed, err = s.cfg.Store.Secret(ctx, name) // another node's may have been first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keys: secret %s: %w", name, err)
	}
	plain, err := s.sealer.Open("secret", name, sealed)
	if err != nil {
		return nil, fmt.Errorf("keys: secret %s: %w", name, err)
	}
	s.mu.Lock()
	s.secrets[name] = plain
	s.mu.Unlock()
	return slices.Clone(plain), nil
}
