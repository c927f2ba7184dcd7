package keys_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
)

// clock is a clock that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

const creditCode = "1199440000TRY002X9"

var issuerURL = "https://id.example/i/" + creditCode

func credentialSpec() keys.Spec {
	return keys.Spec{RotateEvery: 365 * 24 * time.Hour, Keep: 90 * 24 * time.Hour, Certificate: &keys.CertificateSpec{
		Kind: keys.KindCredential, Organization: "沙箱省公安厅交通管理局", OrganizationIdentifier: creditCode, URI: issuerURL}}
}

func ensure(t *testing.T, s *keys.Service, p keys.Purpose, spec keys.Spec) keys.Signer {
	t.Helper()
	if err := s.Ensure(t.Context(), p, spec); err != nil {
		t.Fatal(err)
	}
	return signer(t, s, p)
}

func signer(t *testing.T, s *keys.Service, p keys.Purpose) keys.Signer {
	t.Helper()
	sig, err := s.Signer(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func states(t *testing.T, s *keys.Service, p keys.Purpose) string {
	t.Helper()
	list, err := s.Keys(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range list {
		out = append(out, string(k.State))
	}
	return strings.Join(out, " ")
}

func TestSignAndVerifyThroughJWKS(t *testing.T) {
	s := keystest.New(t, nil)
	for _, alg := range []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			p := keys.Province(string(alg))
			sig := ensure(t, s, p, keys.Spec{Alg: alg})
			token, err := jose.SignJSON(sig.Key(), jose.Header{Typ: "JWT"}, map[string]any{"sub": "x"})
			if err != nil {
				t.Fatal(err)
			}
			set, err := s.JWKS(t.Context(), p)
			if err != nil || len(set) != 1 || set[0].Use() != "sig" || set[0].KeyID() != set[0].Thumbprint() {
				t.Fatalf("set %v, %v", set, err)
			}
			published, err := jose.MarshalJWKS(set)
			if err != nil {
				t.Fatal(err)
			}
			fetched, err := jose.ParseJWKS(published)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jose.Verify(token, jose.Policy{Typ: []string{"JWT"}, Algs: []jose.Alg{alg}}, fetched...); err != nil {
				t.Fatal(err)
			}
			if sig.Chain() != nil {
				t.Fatal("a purpose without certificate has a chain")
			}
		})
	}
}

func TestEnsureIsIdempotentAndFollowsTheSpec(t *testing.T) {
	s := keystest.New(t, newClock().now)
	first := ensure(t, s, keys.Credential(creditCode), credentialSpec())
	if again := ensure(t, s, keys.Credential(creditCode), credentialSpec()); again.Key().ID != first.Key().ID {
		t.Fatal("the same spec made another key")
	}
	schedule := credentialSpec()
	schedule.RotateEvery *= 2
	if again := ensure(t, s, keys.Credential(creditCode), schedule); again.Key().ID != first.Key().ID {
		t.Fatal("another schedule made another key")
	}
	moved := credentialSpec()
	moved.Certificate.URI = "https://elsewhere.example/i/" + creditCode
	again := ensure(t, s, keys.Credential(creditCode), moved)
	if again.Key().ID == first.Key().ID {
		t.Fatal("another issuer URL kept the certificate of the old one")
	}
	if got := states(t, s, keys.Credential(creditCode)); got != "active retired" {
		t.Fatalf("states %q", got)
	}
}

func TestUnknownPurpose(t *testing.T) {
	s := keystest.New(t, nil)
	ensure(t, s, keys.OIDC, keys.Spec{})
	if _, err := s.Signer(t.Context(), keys.Status); !errors.Is(err, keys.ErrNoPurpose) {
		t.Fatal(err)
	}
	if _, err := s.Rotate(t.Context(), keys.Status, keys.RotateOptions{}); !errors.Is(err, keys.ErrNoPurpose) {
		t.Fatal(err)
	}
}

func TestSpecIsChecked(t *testing.T) {
	s := keystest.New(t, nil)
	bad := map[string]struct {
		p    keys.Purpose
		spec keys.Spec
	}{
		"purpose":              {"../oidc", keys.Spec{}},
		"rotates before known": {keys.OIDC, keys.Spec{RotateEvery: time.Minute, PublishAhead: time.Minute}},
		"negative":             {keys.OIDC, keys.Spec{Keep: -1}},
		"certificate kind":     {keys.OIDC, keys.Spec{Certificate: &keys.CertificateSpec{Kind: "root", Organization: "x"}}},
		"no organization":      {keys.OIDC, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindStatus}}},
		"long organization":    {keys.OIDC, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindStatus, Organization: strings.Repeat("局", 65)}}},
		"relative URI":         {keys.OIDC, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindStatus, Organization: "x", URI: "/i/x"}}},
	}
	for name, b := range bad {
		if err := s.Ensure(t.Context(), b.p, b.spec); !errors.Is(err, keys.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ensure(t, s, keys.OIDC, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindStatus, Organization: strings.Repeat("局", 64)}})
}

// TestRotationByCommand: publish before use; a forced rotation skips that.
func TestRotationByCommand(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	first := ensure(t, s, keys.OIDC, keys.Spec{PublishAhead: 10 * time.Minute, Keep: time.Hour})
	r, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{})
	if err != nil || r.Created == "" || r.Activated != "" || !r.ReadyAt.Equal(c.at.Add(10*time.Minute)) {
		t.Fatalf("%+v %v", r, err)
	}
	if got := states(t, s, keys.OIDC); got != "active next" {
		t.Fatalf("states %q", got)
	}
	c.advance(10*time.Minute - time.Second)
	if early, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{}); !errors.Is(err, keys.ErrTooEarly) || !early.ReadyAt.Equal(r.ReadyAt) {
		t.Fatalf("%+v %v", early, err)
	}
	if signer(t, s, keys.OIDC).Key().ID != first.Key().ID {
		t.Fatal("a refused rotation changed the key")
	}
	c.advance(time.Second)
	done, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{})
	if err != nil || done.Activated != r.Created || done.Retired != first.Key().ID {
		t.Fatalf("%+v %v", done, err)
	}
	if got := signer(t, s, keys.OIDC).Key().ID; got != r.Created {
		t.Fatalf("signs with %s", got)
	}
	forced, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true})
	if err != nil || forced.Activated == "" || forced.Activated != forced.Created || forced.Retired != r.Created {
		t.Fatalf("%+v %v", forced, err)
	}
	if got := states(t, s, keys.OIDC); got != "active retired retired" {
		t.Fatalf("states %q", got)
	}
}

// TestForcePromotesAnUnripeNextKey: with a next key that is too young, force uses that one.
func TestForcePromotesAnUnripeNextKey(t *testing.T) {
	s := keystest.New(t, newClock().now)
	ensure(t, s, keys.OIDC, keys.Spec{})
	r, _ := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{})
	forced, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true})
	if err != nil || forced.Activated != r.Created || forced.Created != "" {
		t.Fatalf("%+v %v", forced, err)
	}
}

// TestRotationBySchedule walks two years minute by minute of importance: a verifier with a cached key set never meets a
// key that it doesn't know, and a token verifies for as long as it may live.
func TestRotationBySchedule(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	const cacheTime, life = 5 * time.Minute, 30 * time.Minute
	spec := keys.Spec{RotateEvery: 4 * time.Hour, PublishAhead: 10 * time.Minute, Keep: time.Hour}
	ensure(t, s, keys.OIDC, spec)
	type token struct {
		kid  string
		made time.Time
	}
	var tokens []token
	var cached []string
	var cachedAt time.Time
	seen := map[string]bool{}
	for range 24 * 60 {
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		set, err := s.JWKS(t.Context(), keys.OIDC)
		if err != nil {
			t.Fatal(err)
		}
		now := make([]string, len(set))
		for i, k := range set {
			now[i] = k.KeyID()
		}
		if c.at.Sub(cachedAt) >= cacheTime {
			cached, cachedAt = now, c.at
		}
		kid := signer(t, s, keys.OIDC).Key().ID
		if !slices.Contains(cached, kid) {
			t.Fatalf("%s: signed with a key that a cached set doesn't have", c.at)
		}
		seen[kid] = true
		tokens = append(tokens, token{kid, c.at})
		for _, tok := range tokens[max(0, len(tokens)-int(life/time.Minute)):] {
			if !slices.Contains(now, tok.kid) {
				t.Fatalf("%s: a token of %s lost its key", c.at, tok.made)
			}
		}
		if len(set) > 3 {
			t.Fatalf("%d keys published", len(set))
		}
		c.advance(time.Minute)
	}
	if len(seen) != 6 {
		t.Fatalf("%d keys in 24 hours, want 6", len(seen))
	}
}

// TestT02OldKeyWithinAndAfterItsKeepTime.
func TestT02OldKeyWithinAndAfterItsKeepTime(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	old := ensure(t, s, keys.OIDC, keys.Spec{Keep: time.Hour})
	token, err := jose.SignJSON(old.Key(), jose.Header{Typ: "at+jwt"}, map[string]any{"sub": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	verify := func() error {
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		set, err := s.JWKS(t.Context(), keys.OIDC)
		if err != nil {
			t.Fatal(err)
		}
		_, err = jose.Verify(token, jose.Policy{Typ: []string{"at+jwt"}, Algs: []jose.Alg{jose.ES256}}, set...)
		return err
	}
	c.advance(time.Hour - time.Second)
	if err := verify(); err != nil {
		t.Fatalf("within the keep time: %v", err)
	}
	c.advance(time.Second)
	if err := verify(); !errors.Is(err, jose.ErrNoKey) {
		t.Fatalf("after the keep time: %v", err)
	}
}

// TestT05RetiredKeySignsAFreshToken: a stolen retired key is caught by the time it was active.
func TestT05RetiredKeySignsAFreshToken(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	ensure(t, s, keys.OIDC, keys.Spec{})
	c.advance(time.Hour)
	if _, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Keys(t.Context(), keys.OIDC)
	if err != nil {
		t.Fatal(err)
	}
	retired := list[1]
	if retired.State != keys.Retired || retired.Handle != "" {
		t.Fatalf("%v still has its private half", retired)
	}
	for age, want := range map[time.Duration]bool{-30 * time.Minute: true, 5 * time.Second: true, 10 * time.Minute: false, -2 * time.Hour: false} {
		if got := retired.SignedAt(c.at.Add(age), time.Minute); got != want {
			t.Errorf("signed %s after retirement: %v, want %v", age, got, want)
		}
	}
}

// TestCertificatesOfAnIssuer: docs/trust.md section 2, and what RFC 5280 and independent checkers ask for.
func TestCertificatesOfAnIssuer(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	sig := ensure(t, s, keys.Credential(creditCode), credentialSpec())
	anchors, err := s.Anchors(t.Context())
	if err != nil || len(anchors) != 2 || anchors[0].Kind != keys.KindRoot || anchors[1].Kind != keys.KindCredential {
		t.Fatalf("anchors %v, %v", anchors, err)
	}
	chain := sig.Chain()
	if len(chain) != 2 || !bytes.Equal(chain[1], anchors[1].DER) {
		t.Fatal("x5c must be leaf and intermediate, never the root")
	}
	leaf, intermediate, root := parse(t, chain[0]), parse(t, chain[1]), parse(t, anchors[0].DER)

	roots, inter := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	inter.AddCert(intermediate)
	end := c.at.Add(credentialSpec().RotateEvery + credentialSpec().Keep)
	for _, at := range []time.Time{c.at, end} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("chain at %s: %v", at, err)
		}
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != issuerURL {
		t.Errorf("URI SAN %v", leaf.URIs)
	}
	var organizationID string
	for _, n := range leaf.Subject.Names {
		if n.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 97}) {
			organizationID, _ = n.Value.(string)
		}
	}
	if organizationID != creditCode {
		t.Errorf("organizationIdentifier %q", organizationID)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature || leaf.IsCA || !leaf.BasicConstraintsValid {
		t.Error("the leaf must be an end entity that signs")
	}
	if !root.IsCA || root.MaxPathLen != 1 || !intermediate.IsCA || !intermediate.MaxPathLenZero || intermediate.MaxPathLen != 0 {
		t.Error("path lengths of the authorities")
	}
	if !bytes.Equal(leaf.AuthorityKeyId, intermediate.SubjectKeyId) || !bytes.Equal(intermediate.AuthorityKeyId, root.SubjectKeyId) || len(leaf.SubjectKeyId) != 20 {
		t.Error("key identifiers don't link the chain")
	}
	serials := map[string]bool{}
	for _, cert := range []*x509.Certificate{leaf, intermediate, root} {
		if cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.BitLen() > 159 || cert.SerialNumber.BitLen() < 64 || serials[cert.SerialNumber.String()] {
			t.Errorf("serial %s", cert.SerialNumber)
		}
		serials[cert.SerialNumber.String()] = true
		if cert.Version != 3 || !cert.NotBefore.Before(c.at) || len(cert.Subject.Country) != 1 {
			t.Errorf("version, start or country of %s", cert.Subject)
		}
	}
	if leaf.NotAfter.After(intermediate.NotAfter) || intermediate.NotAfter.After(root.NotAfter) {
		t.Error("a certificate outlives its issuer")
	}
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(sig.Key().Key.Public()) {
		t.Error("the certificate is for another key")
	}
	writeForCheckers(t, map[string][]byte{"leaf": chain[0], "intermediate": chain[1], "root": anchors[0].DER})
}

// writeForCheckers leaves the certificates in HUFU_KEYS_OUT for checkers that aren't written in Go.
func writeForCheckers(t *testing.T, certs map[string][]byte) {
	dir := os.Getenv("HUFU_KEYS_OUT")
	if dir == "" {
		return
	}
	for name, der := range certs {
		if err := os.WriteFile(filepath.Join(dir, name+".der"), der, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestKindsHaveTheirOwnIntermediate: the status signer's certificate doesn't verify below the credential intermediate.
func TestKindsHaveTheirOwnIntermediate(t *testing.T) {
	s := keystest.New(t, newClock().now)
	credential := ensure(t, s, keys.Credential(creditCode), credentialSpec())
	status := ensure(t, s, keys.Status, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindStatus, Organization: "国家政务服务平台", URI: "https://id.example"}})
	if err := parse(t, status.Chain()[0]).CheckSignatureFrom(parse(t, status.Chain()[1])); err != nil {
		t.Fatal(err)
	}
	if err := parse(t, status.Chain()[0]).CheckSignatureFrom(parse(t, credential.Chain()[1])); err == nil {
		t.Fatal("one intermediate for two kinds")
	}
	if parse(t, status.Chain()[1]).Subject.String() == parse(t, credential.Chain()[1]).Subject.String() {
		t.Fatal("two authorities with one name")
	}
	if a, _ := s.Anchors(t.Context()); len(a) != 3 {
		t.Fatalf("%d anchors", len(a))
	}
}

// TestCertificateIsRenewedInTime: also without a schedule a key is replaced while its certificate outlives what it signs.
func TestCertificateIsRenewedInTime(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	spec := credentialSpec()
	spec.RotateEvery = 0
	p := keys.Credential(creditCode)
	first := ensure(t, s, p, spec).Key().ID
	for range 3 * 12 {
		c.advance(30 * 24 * time.Hour)
		for range 3 {
			if err := s.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.advance(keys.DefaultPublishAhead)
		}
		leaf := parse(t, signer(t, s, p).Chain()[0])
		if leaf.NotAfter.Before(c.at.Add(spec.Keep)) {
			t.Fatalf("at %s the certificate ends %s, before what it signs", c.at, leaf.NotAfter)
		}
	}
	c.advance(60 * 24 * time.Hour)
	for range 3 {
		_ = s.Tick(t.Context())
		c.advance(keys.DefaultPublishAhead)
	}
	if signer(t, s, p).Key().ID == first {
		t.Fatal("never replaced")
	}
}

// TestT06WeakKEK: the server refuses to start with an empty, short, sample or typed key.
func TestT06WeakKEK(t *testing.T) {
	good, text := keys.NewKEK()
	weak := map[string]string{
		"empty":          "",
		"spaces":         "   ",
		"not a key":      "change-me!",
		"short":          base64.RawURLEncoding.EncodeToString(good[:31]),
		"long":           base64.RawURLEncoding.EncodeToString(append(good[:], 1)),
		"zeros":          strings.Repeat("00", 32),
		"one byte":       strings.Repeat("a7", 32),
		"counting":       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"few bytes":      strings.Repeat("deadbeef", 8),
		"text":           hex.EncodeToString([]byte("correct horse battery staple 123")),
		"sample in docs": base64.StdEncoding.EncodeToString([]byte("hufu-sample-kek-do-not-use-00000")),
	}
	for name, w := range weak {
		if _, err := keys.ParseKEK(w); !errors.Is(err, keys.ErrWeakKEK) {
			t.Errorf("%s: %v", name, err)
		} else if w != "" && len(strings.TrimSpace(w)) > 8 && strings.Contains(err.Error(), w[:8]) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
	for _, form := range []string{text, hex.EncodeToString(good[:]), base64.StdEncoding.EncodeToString(good[:]) + "\n"} {
		if got, err := keys.ParseKEK(form); err != nil || got != good {
			t.Errorf("a good key in another form: %v", err)
		}
	}
	if _, err := keys.Open(t.Context(), keys.Config{Store: keystest.NewMemory()}); !errors.Is(err, keys.ErrWeakKEK) {
		t.Errorf("Open without a KEK: %v", err)
	}
	if _, err := keys.Open(t.Context(), keys.Config{Store: keystest.NewMemory(), KEK: good}); err != nil {
		t.Errorf("Open with a good KEK: %v", err)
	}
}

// TestT09KEKFileReadableByOthers.
func TestT09KEKFileReadableByOthers(t *testing.T) {
	kek, text := keys.NewKEK()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.ReadKEK(path); err != nil || got != kek {
		t.Fatalf("mode 0600: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.ReadKEK(path); !errors.Is(err, keys.ErrWeakKEK) {
		t.Fatalf("mode 0644: %v", err)
	}
}

// TestT03NoPrivateKeyIsShown: whatever prints, logs or marshals what this package hands out shows no private key.
func TestT03NoPrivateKeyIsShown(t *testing.T) {
	store := keystest.NewMemory()
	kek, kekText := keys.NewKEK()
	s, err := keys.Open(t.Context(), keys.Config{Store: store, KEK: kek})
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []jose.Alg{jose.ES256, jose.EdDSA, jose.RS256} {
		p := keys.Province(string(alg))
		sig := ensure(t, s, p, keys.Spec{Alg: alg})
		list, _ := s.Keys(t.Context(), p)
		rec, _ := store.Load(t.Context(), p)
		var out bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&out, nil))
		text := slog.New(slog.NewTextHandler(&out, nil))
		values := []any{sig, &sig, sig.Key(), sig.Key().Key, list, list[0], rec, struct{ S keys.Signer }{sig}, struct{ s keys.Signer }{sig}, s}
		for _, v := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			logger.InfoContext(context.Background(), "x", "v", v)
			text.InfoContext(context.Background(), "x", "v", v)
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
		}
		for _, secret := range []string{list[0].Handle[20:60], kekText, fmt.Sprint(kek[:])} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: shown: a sealed key or the KEK", alg)
			}
		}
		for _, mark := range []string{`"d":`, `"D":`, "PRIVATE", `"Primes"`, " D:", "{D:"} {
			if strings.Contains(out.String(), mark) {
				t.Errorf("%s: output contains %s", alg, mark)
			}
		}
		if _, err := jose.MarshalPrivateJWK(sig.Key()); !errors.Is(err, jose.ErrUnsupportedKey) {
			t.Errorf("%s: our own key can be exported: %v", alg, err)
		}
	}
}

// TestSealedKeyIsBoundToItsPlace: a sealed key that was moved to another purpose, or changed, doesn't open.
func TestSealedKeyIsBoundToItsPlace(t *testing.T) {
	kek, _ := keys.NewKEK()
	c, err := keys.NewSoftware(kek)
	if err != nil {
		t.Fatal(err)
	}
	gen, err := c.Generate(t.Context(), keys.OIDC, jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(t.Context(), keys.OIDC, gen.ID, gen.Handle); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(t.Context(), keys.Status, gen.ID, gen.Handle); !errors.Is(err, keys.ErrSealBroken) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := c.Open(t.Context(), keys.OIDC, gen.ID+"x", gen.Handle); !errors.Is(err, keys.ErrSealBroken) {
		t.Errorf("another id: %v", err)
	}
	changed := []byte(gen.Handle)
	changed[len(changed)-10] ^= 1
	if _, err := c.Open(t.Context(), keys.OIDC, gen.ID, string(changed)); !errors.Is(err, keys.ErrSealBroken) {
		t.Errorf("changed: %v", err)
	}
	for _, junk := range []string{"", "v1", "v2.x.y", "v1.." + "\x00"} {
		if _, err := c.Open(t.Context(), keys.OIDC, gen.ID, junk); err == nil {
			t.Errorf("junk %q opened", junk)
		}
	}
}

// TestSecretsAreStable: a secret is made once, 32 bytes, different by name, and the caller's copy is its own.
func TestSecretsAreStable(t *testing.T) {
	s := keystest.New(t, nil)
	a, err := s.Secret(t.Context(), "cookie")
	if err != nil || len(a) != 32 {
		t.Fatal(len(a), err)
	}
	copyOfA := slices.Clone(a)
	clear(a)
	again, _ := s.Secret(t.Context(), "cookie")
	other, _ := s.Secret(t.Context(), "pairwise")
	if !bytes.Equal(again, copyOfA) || bytes.Equal(again, other) {
		t.Fatal("secrets")
	}
	if _, err := s.Secret(t.Context(), ""); !errors.Is(err, keys.ErrSpec) {
		t.Fatal(err)
	}
}

// TestCacheSeesARotationOfAnotherNode: within CacheTTL the old key may sign, after it never.
func TestCacheSeesARotationOfAnotherNode(t *testing.T) {
	c := newClock()
	store := keystest.NewMemory()
	kek, _ := keys.NewKEK()
	open := func() *keys.Service {
		s, err := keys.Open(t.Context(), keys.Config{Store: store, KEK: kek, Now: c.now, CacheTTL: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := open(), open()
	first := ensure(t, a, keys.OIDC, keys.Spec{})
	if signer(t, b, keys.OIDC).Key().ID != first.Key().ID {
		t.Fatal("nodes disagree")
	}
	r, err := a.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if signer(t, a, keys.OIDC).Key().ID != r.Activated {
		t.Fatal("the rotating node goes on with the old key")
	}
	c.advance(2 * time.Second)
	if signer(t, b, keys.OIDC).Key().ID != r.Activated {
		t.Fatal("the other node goes on with the old key after its cache time")
	}
}

func BenchmarkSignerCached(b *testing.B) {
	kek, _ := keys.NewKEK()
	svc, err := keys.Open(b.Context(), keys.Config{Store: keystest.NewMemory(), KEK: kek})
	if err != nil {
		b.Fatal(err)
	}
	if err := svc.Ensure(b.Context(), keys.OIDC, keys.Spec{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := svc.Signer(b.Context(), keys.OIDC); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSingleKeysBelongToOneThingAndEndWithIt(t *testing.T) {
	clock := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	s := keystest.New(t, func() time.Time { return clock })
	ctx := t.Context()
	spec := keys.SingleSpec{Life: 365 * 24 * time.Hour, Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: "沙箱省公安厅", OrganizationIdentifier: "1199440000TRY002X9"}}
	if _, err := s.SignerOf(ctx, keys.ClassSeal, "S-1"); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("no key yet: %v", err)
	}
	first, err := s.EnsureSingle(ctx, keys.ClassSeal, "S-1", spec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.EnsureSingle(ctx, keys.ClassSeal, "S-1", spec)
	if err != nil || again.Key().ID != first.Key().ID {
		t.Fatalf("a second key for one thing: %v", err)
	}
	leaf, err := x509.ParseCertificate(first.Chain()[0])
	if err != nil || len(first.Chain()) != 2 || leaf.NotAfter.Before(clock.Add(spec.Life)) {
		t.Fatalf("certificate until %v, chain of %d, %v", leaf.NotAfter, len(first.Chain()), err)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment {
		t.Errorf("key usage %b", leaf.KeyUsage)
	}
	if _, err := s.EnsureSingle(ctx, keys.ClassHolder, "S-1", keys.SingleSpec{}); err != nil {
		t.Fatalf("another class: %v", err)
	}
	for _, bad := range []struct {
		class keys.Class
		thing string
	}{{"oidc", "x"}, {keys.ClassSeal, ""}, {keys.ClassSeal, "a/b"}, {keys.ClassSeal, strings.Repeat("x", 65)}} {
		if _, err := s.EnsureSingle(ctx, bad.class, bad.thing, keys.SingleSpec{}); !errors.Is(err, keys.ErrSpec) {
			t.Errorf("%q %q: %v", bad.class, bad.thing, err)
		}
	}
	if err := s.DestroySingle(ctx, keys.ClassSeal, "S-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EnsureSingle(ctx, keys.ClassSeal, "S-1", spec); !errors.Is(err, keys.ErrDestroyed) {
		t.Fatalf("a destroyed key came back: %v", err)
	}
	if err := s.DestroySingle(ctx, keys.ClassSeal, "never"); err != nil {
		t.Fatalf("destroying nothing: %v", err)
	}
	if fmt.Sprintf("%+v", first) != first.String() {
		t.Error("a signer prints more than its name")
	}
}

// A single key is never rotated: one whose certificate the intermediate can't cover for its whole life would end what it belongs to before its time.
func TestSingleKeysNeedACertificateForTheirWholeLife(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	s := keystest.New(t, func() time.Time { return at })
	spec := keys.SingleSpec{Life: 3 * 366 * 24 * time.Hour, Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: "沙箱省公安厅", OrganizationIdentifier: "1199440000TRY002X9"}}
	if _, err := s.EnsureSingle(t.Context(), keys.ClassSeal, "S-1", spec); err != nil {
		t.Fatal(err)
	}
	at = at.Add(8 * 365 * 24 * time.Hour) // the intermediate lives for ten years
	if _, err := s.EnsureSingle(t.Context(), keys.ClassSeal, "S-2", spec); !errors.Is(err, keys.ErrAuthorityEnds) {
		t.Errorf("a certificate that ends before the seal: %v", err)
	}
	if _, err := s.SignerOf(t.Context(), keys.ClassSeal, "S-2"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("its key is there: %v", err)
	}
	spec.Life = 365 * 24 * time.Hour
	if _, err := s.EnsureSingle(t.Context(), keys.ClassSeal, "S-2", spec); err != nil {
		t.Errorf("the twin: %v", err)
	}
}
