package jose

import (
	"errors"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/strictjson"
)

const sealedHeader = `{"alg":"ES256","typ":"jose+json","sigD":{"mId":"x"},"b64":false,"crit":["b64","sigD"]}`

func TestDetachedIsSignedAndVerified(t *testing.T) {
	k, pub := newKey(t, ES256)
	protected, signature, err := SignDetached(k, []byte(sealedHeader))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := strictjson.DecodeBase64(protected); err != nil || string(b) != sealedHeader {
		t.Errorf("other bytes were signed: %s, %v", b, err)
	}
	u, err := ParseDetached(protected, signature, ES256)
	if err != nil {
		t.Fatal(err)
	}
	v, err := u.Verify(pub)
	if err != nil || len(v.Payload()) != 0 || v.Header().Raw["b64"] != false {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := v.Claims(ClaimPolicy{}); err == nil {
		t.Error("a detached signature has claims")
	}
	_, other := newKey(t, ES256)
	if _, err := u.Verify(other); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrNoKey) {
		t.Errorf("another key: %v", err)
	}
}

// The door is narrow: what doesn't say all of it isn't signed, and not read.
func TestDetachedIsStrict(t *testing.T) {
	k, _ := newKey(t, ES256)
	p384, _ := newKey(t, ES384)
	_, signature, err := SignDetached(k, []byte(sealedHeader))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) string {
		if !strings.Contains(sealedHeader, old) {
			t.Fatal(old)
		}
		return strings.Replace(sealedHeader, old, with, 1)
	}
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"no crit":          {replace(`,"crit":["b64","sigD"]`, ""), ErrCritical},
		"crit of one":      {replace(`["b64","sigD"]`, `["sigD"]`), ErrCritical},
		"crit of three":    {replace(`["b64","sigD"]`, `["b64","sigD","iat"],"iat":1`), ErrCritical},
		"crit twice b64":   {replace(`["b64","sigD"]`, `["b64","b64"]`), ErrCritical},
		"b64 true":         {replace(`"b64":false`, `"b64":true`), ErrCritical},
		"b64 absent":       {replace(`"b64":false,`, ``), ErrCritical},
		"sigD absent":      {replace(`"sigD":{"mId":"x"},`, ``), ErrCritical},
		"sigD null":        {replace(`{"mId":"x"}`, `null`), ErrCritical},
		"another type":     {replace(`jose+json`, `JWT`), ErrType},
		"no type":          {replace(`"typ":"jose+json",`, ``), ErrType},
		"another alg":      {replace(`ES256`, `EdDSA`), ErrAlgorithm},
		"alg none":         {replace(`ES256`, `none`), ErrAlgorithm},
		"duplicate member": {replace(`"b64"`, `"b64":false,"b64"`), ErrDuplicateMember},
		"above the limit":  {replace(`"x"`, `"`+strings.Repeat("x", MaxDetachedHeaderBytes)+`"`), ErrTooLarge},
		"nothing":          {``, ErrMalformed},
	} {
		if _, _, err := SignDetached(k, []byte(c.header)); !errors.Is(err, c.want) {
			t.Errorf("%s: signed: %v, want %v", name, err, c.want)
		}
		if _, err := ParseDetached(strictjson.Base64.EncodeToString([]byte(c.header)), signature, ES256); !errors.Is(err, c.want) {
			t.Errorf("%s: read: %v, want %v", name, err, c.want)
		}
	}
	protected := strictjson.Base64.EncodeToString([]byte(sealedHeader))
	if _, err := ParseDetached(protected, signature, ES256); err != nil {
		t.Fatalf("the twin: %v", err)
	}
	for name, c := range map[string]struct{ protected, signature string }{
		"no signature": {protected, ""}, "signature padded": {protected, signature + "=="}, "header padded": {protected + "=", signature}, "a line break": {protected + "\n", signature},
	} {
		if _, err := ParseDetached(c.protected, c.signature, ES256); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseDetached(protected, signature); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("no algorithm allowed: %v", err)
	}
	if _, _, err := SignDetached(p384, []byte(sealedHeader)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a key of another algorithm: %v", err)
	}
	if _, _, err := SignDetached(SigningKey{}, []byte(sealedHeader)); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("no key: %v", err)
	}
	for _, crit := range [][]string{nil, {"sigD"}, {"b64", "sigD"}} {
		if _, err := ParseUnverified(protected+".."+signature, Policy{Typ: []string{DetachedType}, Algs: everyAlg, Crit: crit}); !errors.Is(err, ErrCritical) {
			t.Errorf("as a token, crit %v understood: %v", crit, err)
		}
	}
}
