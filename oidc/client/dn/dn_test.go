package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// The order of a set doesn't count, and what Go writes of a certificate is what a client may register.
func TestMultiValuedNames(t *testing.T) {
	raw, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "CN"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: " a#b "}, {Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "7"}}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{`CN=\ a#b\ +serialNumber=7,C=CN`: true, `serialNumber=7 + CN=\20a\#b\20,C=CN`: true, `CN=a#b+serialNumber=7,C=CN`: false, `CN=\ a#b\ ,serialNumber=7,C=CN`: false} {
		if Same(text, raw) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`CN=client-1,O=样本\, 银行,C=CN`, `UID=jsmith,DC=example,DC=net`, `OU=Sales+CN=J.  Smith,DC=example,DC=net`, `CN=James \"Jim\" Smith\, III,DC=example,DC=net`,
		`CN=Before\0dAfter,DC=example,DC=net`, `1.3.6.1.4.1.1466.0=#04024869`, `CN=Lu\C4\8Di\C4\87`, `CN=\`, `=`, `CN=a+`, ``} { // RFC 4514 section 4
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := parse(s)
		if err == nil && (len(parsed) == 0 || len(parsed[0]) == 0) {
			t.Errorf("%q is an empty name", s)
		}
	})
}
