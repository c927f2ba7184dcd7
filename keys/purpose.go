package keys

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Purpose names what a key may sign. Keys of different purposes are never mixed.
type Purpose string

// The purposes that exist once.
const (
	OIDC            Purpose = "oidc"       // access tokens, and ID tokens by ES256
	OIDCRS256       Purpose = "oidc-rs256" // ID tokens by RS256, for clients that expect it
	Status          Purpose = "status"     // status list tokens
	Audit           Purpose = "audit"      // heads of the audit chain
	BundleRoot      Purpose = "bundle-root"
	BundleTargets   Purpose = "bundle-targets"
	BundleSnapshot  Purpose = "bundle-snapshot"
	BundleTimestamp Purpose = "bundle-timestamp"
	// CredentialRequest decrypts what wallets ask of us (OpenID4VCI 1.0 section 10). It signs nothing: ask for its Decrypter. Its Spec.Alg is jose.ECDHES.
	CredentialRequest Purpose = "credential-request"
)

// Prefixes of the purposes that exist once per authority or province.
const (
	credentialPrefix = "credential/"
	bundlePrefix     = "bundle/"
	provincePrefix   = "province/"
	signerPrefix     = "mdoc/"
	sealMakerPrefix  = "seal-maker/"
)

// Credential is the purpose of the credentials of one issuing authority, named by its credit code.
func Credential(creditCode string) Purpose { return Purpose(credentialPrefix + creditCode) }

// BundleIssuer is the purpose of one issuing authority's delegated part of the trust bundle.
func BundleIssuer(creditCode string) Purpose { return Purpose(bundlePrefix + creditCode) }

// SealMaker is the purpose of the seals of one seal maker, named by its credit code.
func SealMaker(creditCode string) Purpose { return Purpose(sealMakerPrefix + creditCode) }

// DocumentSigner is the purpose of the mdocs of one issuing authority, named by its credit code (ISO/IEC 18013-5). Its certificates are of KindIACA.
func DocumentSigner(creditCode string) Purpose { return Purpose(signerPrefix + creditCode) }

// creditCodeOf is the authority of a purpose of credentials, "" for other purposes.
func creditCodeOf(p Purpose) string {
	for _, prefix := range []string{credentialPrefix, signerPrefix} {
		if code, ok := strings.CutPrefix(string(p), prefix); ok {
			return code
		}
	}
	return ""
}

// Province is the purpose of our client authentication towards one province, named by its six-digit code.
func Province(code string) Purpose { return Purpose(provincePrefix + code) }

var purposeForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}(/[0-9A-Za-z._-]{1,64})?$`)

// Defaults of a Spec.
const (
	DefaultPublishAhead = 10 * time.Minute // two times the lifetime of a cached key set
	DefaultKeep         = 24 * time.Hour
	// manualCertificateLife is how long the certificate of a key without a rotation schedule is valid.
	manualCertificateLife = 3 * 365 * 24 * time.Hour
)

// Spec says how the keys of a purpose are made and replaced. It is stored, so that every node and command follows it.
type Spec struct {
	// Alg is the algorithm of new keys; "" means ES256.
	Alg jose.Alg
	// RotateEvery is how long a key is active before Tick replaces it; 0 leaves that to Rotate.
	RotateEvery time.Duration
	// PublishAhead is how long a key is published before its first use, at least the time for which verifiers cache our
	// key set; 0 means DefaultPublishAhead.
	PublishAhead time.Duration
	// Keep is how long a retired key still verifies, at least the longest life of what it signed; 0 means DefaultKeep.
	Keep time.Duration
	// Certificate asks for an X.509 certificate with each key; nil for none.
	Certificate *CertificateSpec
}

func (s Spec) withDefaults() Spec {
	if s.Alg == "" {
		s.Alg = jose.ES256
	}
	if s.PublishAhead == 0 {
		s.PublishAhead = DefaultPublishAhead
	}
	if s.Keep == 0 {
		s.Keep = DefaultKeep
	}
	return s
}

func (s Spec) check(p Purpose) error {
	if !purposeForm.MatchString(string(p)) {
		return fmt.Errorf("%w: purpose %q", ErrSpec, p)
	}
	if s.RotateEvery < 0 || s.PublishAhead < 0 || s.Keep < 0 {
		return fmt.Errorf("%w: %s: negative time", ErrSpec, p)
	}
	if s.RotateEvery > 0 && s.RotateEvery <= s.PublishAhead {
		return fmt.Errorf("%w: %s: keys are replaced before the next one can be known", ErrSpec, p)
	}
	c := s.Certificate
	if c == nil {
		return nil
	}
	if decrypts(s) {
		return fmt.Errorf("%w: %s: a certificate for a key that signs nothing", ErrSpec, p)
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSpec, p, err)
	}
	if limit := c.Kind.MaxLife(); limit != 0 && s.certificateLife() > limit {
		return fmt.Errorf("%w: %s: a certificate of %s for %s", ErrSpec, p, c.Kind, s.certificateLife())
	}
	return nil
}

// certificateLife is how long the certificate of a key is valid: for the key's whole life and that of everything it signs.
func (s Spec) certificateLife() time.Duration {
	life := manualCertificateLife
	if s.RotateEvery > 0 {
		life = s.PublishAhead + s.RotateEvery
	}
	return life + s.Keep + 2*renewBefore
}

// State is where a key is in its life.
type State string

// The states of a key, in order.
const (
	Next    State = "next"    // published, signs nothing yet
	Active  State = "active"  // signs
	Retired State = "retired" // verifies; its private half is destroyed
	Gone    State = "gone"    // not published any more; the record stays for history
)

// Key is what is known of one key. It holds no private key: Handle means something to the Custody only.
type Key struct {
	ID      string // RFC 7638 thumbprint, the "kid" of what it signs
	Purpose Purpose
	State   State
	Alg     jose.Alg
	Public  jose.JWK
	Handle  string   // for the Custody; "" once the private key was destroyed
	Chain   [][]byte // DER: leaf, intermediate; nil without certificate

	CreatedAt   time.Time // published since then
	ActivatedAt time.Time // zero while next
	RetiredAt   time.Time // zero until retired
	ExpiresAt   time.Time // when a retired key will go; zero until retired
}

// SignedAt reports whether the key may have signed something dated at: it was active then, give or take slack for the
// clocks and caches of our nodes. A stolen retired key fails this for anything new (T05).
func (k Key) SignedAt(at time.Time, slack time.Duration) bool {
	if k.ActivatedAt.IsZero() || at.Before(k.ActivatedAt.Add(-slack)) {
		return false
	}
	return k.RetiredAt.IsZero() || !at.After(k.RetiredAt.Add(slack))
}

// String names the key.
func (k Key) String() string { return "key:" + string(k.Purpose) + ":" + k.ID + ":" + string(k.State) }

// Format writes String for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is String: not even the sealed private key belongs in a log.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes String, for the same reason.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
