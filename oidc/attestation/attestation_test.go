package attestation_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attestation/attesttest"
)

const (
	issuer = "https://id.example"
	wallet = "wallet-1"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// shown is a request of a wallet.
type shown struct{ attestations, proofs []string }

// scene is a provider with an instance of its wallet.
type scene struct {
	*attesttest.Provider
	instance, other jose.SigningKey
}

func newScene(t *testing.T) scene {
	s := scene{Provider: attesttest.New(t, now)}
	for _, k := range []*jose.SigningKey{&s.instance, &s.other} {
		var err error
		if *k, err = jose.GenerateKey(jose.ES256); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s scene) good(pairs ...any) string { return s.Attest(wallet, s.instance, now, pairs...) }

func (s scene) proof(pairs ...any) string {
	return s.Prove(wallet, s.instance, issuer, now, append([]any{"challenge", "fresh"}, pairs...)...)
}

func expect() attestation.Expect {
	return attestation.Expect{Audience: issuer, ClientID: wallet, At: now, Challenge: func(c string) bool { return c == "fresh" }}
}

// TestP11Matrix: both forms, one thing wrong at a time.
func TestP11Matrix(t *testing.T) {
	s := newScene(t)
	foreign := attesttest.New(t, now)
	otherLeaf, otherChain := s.Leaf(attesttest.Template("gone", now.Add(-200*24*time.Hour)))
	authority := attesttest.Template("authority", now)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	caKey, caChain := s.Leaf(authority)
	signed := func(key jose.SigningKey, h jose.Header) string {
		pub, _ := s.instance.Public()
		return s.Sign(key, h, map[string]any{"iss": s.Issuer, "sub": wallet, "exp": now.Add(time.Minute).Unix(), "cnf": map[string]any{"jwk": pub}})
	}
	private, err := jose.MarshalPrivateJWK(s.instance)
	if err != nil {
		t.Fatal(err)
	}
	wrong, stale, challenge := attestation.ErrAttestation, attestation.ErrStale, attestation.ErrChallenge
	type row struct {
		shown
		haip, current error
	}
	one := func(a, p string) shown { return shown{[]string{a}, []string{p}} }
	for name, c := range map[string]row{
		"twin":                             {one(s.good(), s.proof()), nil, nil},
		"twin: without iat and nbf":        {one(s.good("iat", nil, "nbf", nil), s.proof()), nil, nil},
		"twin: unknown claims":             {one(s.good("wallet_name", "x", "status", map[string]any{}), s.proof("x", 1)), nil, nil},
		"no iss in the attestation":        {one(s.good("iss", nil), s.proof()), wrong, nil},
		"another iss":                      {one(s.good("iss", "https://evil.example"), s.proof()), wrong, wrong},
		"iss no string":                    {one(s.good("iss", 1), s.proof()), wrong, wrong},
		"no iss in the proof":              {one(s.good(), s.proof("iss", nil)), wrong, nil},
		"another iss in the proof":         {one(s.good(), s.proof("iss", "wallet-2")), wrong, nil},
		"no challenge":                     {one(s.good(), s.proof("challenge", nil)), nil, challenge},
		"old challenge":                    {one(s.good(), s.proof("challenge", "old")), challenge, challenge},
		"challenge no string":              {one(s.good(), s.proof("challenge", 7)), wrong, wrong},
		"no attestation":                   {shown{nil, []string{s.proof()}}, wrong, wrong},
		"two attestations":                 {shown{[]string{s.good(), s.good()}, []string{s.proof()}}, wrong, wrong},
		"two in one header":                {one(s.good()+", "+s.good(), s.proof()), wrong, wrong},
		"no proof":                         {shown{[]string{s.good()}, nil}, wrong, wrong},
		"two proofs":                       {shown{[]string{s.good()}, []string{s.proof(), s.proof()}}, wrong, wrong},
		"proof for attestation":            {one(s.proof(), s.proof()), wrong, wrong},
		"attestation for proof":            {one(s.good(), s.good()), wrong, wrong},
		"expired":                          {one(s.good("exp", now.Add(-10*time.Minute).Unix()), s.proof()), stale, stale},
		"no exp":                           {one(s.good("exp", nil), s.proof()), wrong, wrong},
		"exp no number":                    {one(s.good("exp", "soon"), s.proof()), wrong, wrong},
		"not yet":                          {one(s.good("nbf", now.Add(10*time.Minute).Unix()), s.proof()), wrong, wrong},
		"no sub":                           {one(s.good("sub", nil), s.proof()), wrong, wrong},
		"another sub":                      {one(s.good("sub", "wallet-2"), s.proof()), wrong, wrong},
		"sub no string":                    {one(s.good("sub", []string{wallet}), s.proof()), wrong, wrong},
		"no cnf":                           {one(s.good("cnf", nil), s.proof()), wrong, wrong},
		"cnf by thumbprint":                {one(s.good("cnf", map[string]any{"jkt": s.instance.ID}), s.proof()), wrong, wrong},
		"private key in cnf":               {one(s.good("cnf", map[string]any{"jwk": json.RawMessage(private)}), s.proof()), wrong, wrong},
		"proof by another key":             {one(s.good(), s.Prove(wallet, s.other, issuer, now, "challenge", "fresh")), wrong, wrong},
		"attestation of another key":       {one(s.Attest(wallet, s.other, now), s.proof()), wrong, wrong},
		"wrong aud":                        {one(s.good(), s.proof("aud", "https://evil.example")), wrong, wrong},
		"aud of the token endpoint":        {one(s.good(), s.proof("aud", issuer+"/token")), wrong, wrong},
		"aud with a slash":                 {one(s.good(), s.proof("aud", issuer+"/")), wrong, wrong},
		"aud a list":                       {one(s.good(), s.proof("aud", []string{issuer})), wrong, wrong},
		"no aud":                           {one(s.good(), s.proof("aud", nil)), wrong, wrong},
		"no jti":                           {one(s.good(), s.proof("jti", nil)), wrong, wrong},
		"empty jti":                        {one(s.good(), s.proof("jti", "")), wrong, wrong},
		"no iat":                           {one(s.good(), s.proof("iat", nil)), wrong, wrong},
		"iat ten minutes ago":              {one(s.good(), s.proof("iat", now.Add(-10*time.Minute).Unix())), wrong, wrong},
		"iat in ten minutes":               {one(s.good(), s.proof("iat", now.Add(10*time.Minute).Unix())), wrong, wrong},
		"a clock two minutes off":          {one(s.good(), s.proof("iat", now.Add(-2*time.Minute).Unix())), nil, nil},
		"the same without challenge":       {one(s.good(), s.proof("iat", now.Add(-2*time.Minute).Unix(), "challenge", nil)), challenge, challenge},
		"proof expired":                    {one(s.good(), s.proof("exp", now.Unix())), wrong, wrong},
		"foreign root":                     {one(foreign.Attest(wallet, s.instance, now), s.proof()), wrong, wrong},
		"foreign key, our chain":           {one(signed(foreign.Signer, jose.Header{Typ: attestation.Type, X5C: s.Chain}), s.proof()), wrong, wrong},
		"the anchor in x5c":                {one(signed(s.Signer, jose.Header{Typ: attestation.Type, X5C: append(s.Chain[:1:1], s.Root.Raw)}), s.proof()), wrong, wrong},
		"leaf expired":                     {one(signed(otherLeaf, jose.Header{Typ: attestation.Type, X5C: otherChain}), s.proof()), wrong, wrong},
		"leaf an authority":                {one(signed(caKey, jose.Header{Typ: attestation.Type, X5C: caChain}), s.proof()), wrong, wrong},
		"no x5c":                           {one(signed(s.Signer, jose.Header{Typ: attestation.Type}), s.proof()), wrong, wrong},
		"x5c rubbish":                      {one(signed(s.Signer, jose.Header{Typ: attestation.Type, X5C: [][]byte{{1, 2}}}), s.proof()), wrong, wrong},
		"other typ":                        {one(signed(s.Signer, jose.Header{Typ: "JWT", X5C: s.Chain}), s.proof()), wrong, wrong},
		"signature cut":                    {one(strings.TrimSuffix(s.good(), "A")[:200], s.proof()), wrong, wrong},
		"signed by the instance itself":    {one(signed(s.instance, jose.Header{Typ: attestation.Type, X5C: s.Chain}), s.proof()), wrong, wrong},
		"alg none":                         {one("eyJhbGciOiJub25lIiwidHlwIjoib2F1dGgtY2xpZW50LWF0dGVzdGF0aW9uK2p3dCJ9.e30.", s.proof()), wrong, wrong},
		"proof signed by the provider key": {one(s.good(), s.Sign(s.Signer, jose.Header{Typ: attestation.ProofType}, map[string]any{"iss": wallet, "aud": issuer, "jti": "a", "iat": now.Unix(), "challenge": "fresh"})), wrong, wrong},
	} {
		for profile, want := range map[string]error{"haip-1.0": c.haip, "current": c.current} {
			i, err := s.Trusted("p", profile).Verify(c.attestations, c.proofs, expect())
			if !errors.Is(err, want) || (err == nil) != (i.Key() == s.instance.ID) || (err == nil) != (want == nil) {
				t.Errorf("%s, %s: %v, want %v", name, profile, err, want)
			}
		}
	}
}

// A self-signed leaf is its own anchor to whoever forgets to look: it is none to us, also when its name is an anchor's.
func TestP11SelfSignedLeaf(t *testing.T) {
	s, fake := newScene(t), attesttest.New(t, now)
	fake.Chain = [][]byte{fake.Root.Raw}
	p := s.Trusted("p", "haip-1.0")
	if _, err := p.Verify([]string{fake.Attest(wallet, s.instance, now)}, []string{s.proof()}, expect()); !errors.Is(err, attestation.ErrAttestation) {
		t.Error(err)
	}
}

// A certificate that anybody may send must not cost more than any other.
func TestP11HugeKeyInTheChain(t *testing.T) {
	s := newScene(t)
	template := attesttest.Template("huge", now)
	template.IsCA, template.BasicConstraintsValid = true, true
	huge := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 40_000), big.NewInt(1)), E: 65537}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, huge, key)
	if err != nil {
		t.Fatal(err)
	}
	s.Chain = append(s.Chain[:1:1], der)
	_, err = s.Trusted("p", "haip-1.0").Verify([]string{s.good()}, []string{s.proof()}, expect())
	if !errors.Is(err, attestation.ErrChain) || !strings.Contains(err.Error(), "RSA") {
		t.Error(err)
	}
}

func TestKeysOfAProviderWithoutCertificates(t *testing.T) {
	s := newScene(t)
	pub, err := s.Signer.Public()
	if err != nil {
		t.Fatal(err)
	}
	s.Chain = nil
	for profile, want := range map[string]error{"current": nil, "haip-1.0": attestation.ErrAttestation} {
		p := s.Trusted("p", profile)
		p.Anchors, p.Keys = nil, []jose.JWK{pub}
		if _, err := p.Verify([]string{s.good()}, []string{s.proof()}, expect()); !errors.Is(err, want) {
			t.Errorf("%s: %v", profile, err)
		}
	}
}

func TestCombinedMode(t *testing.T) {
	s := newScene(t)
	for name, c := range map[string]struct {
		profile, key string
		fresh        bool
		want         error
	}{
		"twin":               {"current", s.instance.ID, true, nil},
		"another key":        {"current", s.other.ID, true, attestation.ErrAttestation},
		"no key":             {"current", "", true, attestation.ErrAttestation},
		"no challenge":       {"current", s.instance.ID, false, attestation.ErrChallenge},
		"HAIP knows no such": {"haip-1.0", s.instance.ID, true, attestation.ErrAttestation},
	} {
		i, err := s.Trusted("p", c.profile).Combined([]string{s.good("iss", nil)}, c.key, c.fresh, expect())
		if s.Trusted("p", c.profile).Profile.Issuers {
			i, err = s.Trusted("p", c.profile).Combined([]string{s.good()}, c.key, c.fresh, expect())
		}
		if !errors.Is(err, c.want) || (err == nil) != (i.Key() == s.instance.ID) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestInstanceSaysWhatToUseUp(t *testing.T) {
	s := newScene(t)
	i, err := s.Trusted("p", "haip-1.0").Verify([]string{s.good()}, []string{s.proof("jti", "j", "challenge", nil)}, expect())
	if err != nil || i.ID() != s.instance.ID+"\x00j" || !i.Expires().Equal(now.Add(time.Minute)) || i.ClientID() != wallet {
		t.Errorf("%+v %v", i, err)
	}
	late := expect()
	late.At = i.Expires().Add(time.Second)
	if _, err := s.Trusted("p", "haip-1.0").Verify([]string{s.good()}, []string{s.Prove(wallet, s.instance, issuer, now)}, late); err == nil {
		t.Error("a proof is good for longer than its id is remembered")
	}
}

func FuzzVerify(f *testing.F) {
	s := scene{Provider: attesttest.New(f, now)}
	s.instance, _ = jose.GenerateKey(jose.ES256)
	p := s.Trusted("p", "current")
	f.Add(s.good(), s.proof())
	f.Add(s.good("exp", nil), s.proof("challenge", nil))
	f.Add("a.b.c", "")
	f.Fuzz(func(t *testing.T, a, proof string) {
		i, err := p.Verify([]string{a}, []string{proof}, expect())
		if known := errors.Is(err, attestation.ErrAttestation) || errors.Is(err, attestation.ErrStale) || errors.Is(err, attestation.ErrChallenge); err != nil && !known {
			t.Errorf("an error without a name: %v", err)
		}
		if id, err := attestation.Subject([]string{a}); err == nil && i.Key() != "" && id != i.ClientID() {
			t.Errorf("the subject changes: %q", id)
		}
	})
}
