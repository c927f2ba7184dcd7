package keys_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"crypto/x509"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
)

// T08: a stolen key is gone at once, another signs, and what says so is there for good.
func TestT08RevokeTakesAKeyOutOfUse(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	p := keys.Credential(creditCode)
	stolen := ensure(t, s, p, credentialSpec()).Public().KeyID()
	published := func() []string {
		set, err := s.JWKS(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, k := range set {
			ids = append(ids, k.KeyID())
		}
		return ids
	}
	c.advance(time.Hour)
	since := c.at.Add(-30 * time.Minute)
	r, err := s.Revoke(t.Context(), p, keys.RevokeOptions{CompromisedAt: since})
	if err != nil || r.Retired != stolen || r.Created == "" || r.Activated != r.Created {
		t.Fatalf("%+v, %v", r, err)
	}
	if ids := published(); !slices.Equal(ids, []string{r.Activated}) || signer(t, s, p).Public().KeyID() != r.Activated {
		t.Errorf("published %v", ids)
	}
	list, err := s.Revoked(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != stolen || list[0].CreditCode() != creditCode || !list[0].CompromisedAt.Equal(since) || !list[0].RevokedAt.Equal(c.at) {
		t.Fatalf("%+v, %v", list, err)
	}
	// With a next key, which verifiers know already, that one takes its place: no gap. A retired key is revoked by its id.
	next, err := s.Rotate(t.Context(), p, keys.RotateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.advance(24 * time.Hour)
	if _, err := s.Rotate(t.Context(), p, keys.RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	retired, third := r.Activated, next.Created
	if r, err = s.Revoke(t.Context(), p, keys.RevokeOptions{Key: retired}); err != nil || r.Activated != "" || !slices.Equal(published(), []string{third}) {
		t.Fatalf("a retired key: %+v, %v, %v", r, err, published())
	}
	if next, err = s.Rotate(t.Context(), p, keys.RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if r, err = s.Revoke(t.Context(), p, keys.RevokeOptions{}); err != nil || r.Activated != next.Created || r.Created != "" || !slices.Equal(published(), []string{next.Created}) {
		t.Fatalf("with a next key: %+v, %v, %v", r, err, published())
	}
	list, err = s.Revoked(t.Context())
	if err != nil || len(list) != 3 || list[2].ID != third || list[2].CompromisedAt.After(c.at.Add(-24*time.Hour)) {
		t.Errorf("nobody knows since when: %+v, %v", list, err)
	}
}

// Each refused call differs in one thing from one that is obeyed.
func TestT08RevokeRefuses(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	active := ensure(t, s, keys.OIDC, keys.Spec{}).Public().KeyID()
	ensure(t, s, keys.BundleRoot, keys.Spec{})
	for name, x := range map[string]struct {
		p    keys.Purpose
		o    keys.RevokeOptions
		want error
	}{
		"a purpose of nobody": {keys.Audit, keys.RevokeOptions{}, keys.ErrNoPurpose},
		"a key of nobody":     {keys.OIDC, keys.RevokeOptions{Key: "x"}, keys.ErrNotFound},
		"in the future":       {keys.OIDC, keys.RevokeOptions{CompromisedAt: c.at.Add(time.Second)}, keys.ErrSpec},
		"the root alone":      {keys.BundleRoot, keys.RevokeOptions{}, keys.ErrTooEarly},
	} {
		if _, err := s.Revoke(t.Context(), x.p, x.o); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if signer(t, s, keys.OIDC).Public().KeyID() != active {
		t.Error("a refused call changed the key")
	}
	if _, err := s.Rotate(t.Context(), keys.BundleRoot, keys.RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	for p, o := range map[keys.Purpose]keys.RevokeOptions{keys.OIDC: {Key: active, CompromisedAt: c.at}, keys.BundleRoot: {}} {
		if _, err := s.Revoke(t.Context(), p, o); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := s.Revoke(t.Context(), keys.OIDC, keys.RevokeOptions{Key: active}); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
}

// T08: the IACA's list names a stolen document signer, and nothing but document signers.
func TestT08RevocationListOfTheIACA(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	if _, err := s.RevocationList(t.Context()); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("without an IACA: %v", err)
	}
	ds := parse(t, ensure(t, s, keys.DocumentSigner(creditCode), signerSpec()).Chain()[0])
	ensure(t, s, keys.Credential(creditCode), credentialSpec())
	anchors, err := s.Anchors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	iaca := parse(t, anchors[slices.IndexFunc(anchors, func(a keys.Certificate) bool { return a.Kind == keys.KindIACA })].DER)
	read := func() *x509.RevocationList {
		der, err := s.RevocationList(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(iaca); err != nil || !list.NextUpdate.After(c.at.Add(24*time.Hour)) {
			t.Errorf("%v, next update %s", err, list.NextUpdate)
		}
		return list
	}
	first := read()
	if len(first.RevokedCertificateEntries) != 0 {
		t.Error("somebody is revoked")
	}
	c.advance(time.Minute)
	for _, p := range []keys.Purpose{keys.DocumentSigner(creditCode), keys.Credential(creditCode)} {
		if _, err := s.Revoke(t.Context(), p, keys.RevokeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	second := read()
	if e := second.RevokedCertificateEntries; len(e) != 1 || e[0].SerialNumber.Cmp(ds.SerialNumber) != 0 || e[0].ReasonCode != 1 {
		t.Errorf("%+v", e)
	}
	if second.Number.Cmp(first.Number) <= 0 {
		t.Errorf("number %s after %s", second.Number, first.Number)
	}
}

// T08: what was encrypted for a stolen key isn't opened any more, and the next sender learns of another.
func TestT08RevokeAKeyThatDecrypts(t *testing.T) {
	s := keystest.New(t, nil)
	if err := s.Ensure(t.Context(), keys.CredentialRequest, keys.Spec{Alg: jose.ECDHES}); err != nil {
		t.Fatal(err)
	}
	before := decrypter(t, s).Keys()[0].KeyID()
	if _, err := s.Revoke(t.Context(), keys.CredentialRequest, keys.RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := decrypter(t, s).Keys()[0].KeyID(); after == before {
		t.Error("the same key")
	}
}
