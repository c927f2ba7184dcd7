package jose

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
)

// The one door for a critical header: signatures of sealed files (JAdES, ETSI TS 119 182-1). What is signed is in the protected header, as the digest of
// the file; the payload is empty. Everywhere else "b64" and "crit" of these names are refused, so that such a signature is never taken for a token.

// DetachedType is the "typ" that a detached signature must have.
const DetachedType = "jose+json"

// MaxDetachedHeaderBytes limits the encoded protected header of a detached signature: it has room for a certificate chain and a seal's credential.
const MaxDetachedHeaderBytes = 64 << 10

// detachedCritical are the names that "crit" of a detached signature lists, all of them and no other.
var detachedCritical = []string{"b64", "sigD"}

// SignDetached signs a protected header, whose exact bytes the caller has recorded, over an empty payload. The header must be one that ParseDetached takes,
// of the key's algorithm. It returns what the members "protected" and "signature" of the flattened serialization hold. Errors: those of ParseDetached, and
// of Sign.
func SignDetached(k SigningKey, header []byte) (protected, signature string, err error) {
	if k.Key == nil {
		return "", "", fmt.Errorf("%w: no key", ErrInvalidKey)
	}
	enc := base64.RawURLEncoding
	protected = enc.EncodeToString(header)
	if _, err := detachedHeader(protected, []Alg{k.Alg}); err != nil {
		return "", "", err
	}
	sig, err := k.Alg.Sign(k.Key, []byte(protected+"."))
	if err != nil {
		return "", "", err
	}
	return protected, enc.EncodeToString(sig), nil
}

// ParseDetached does every check of a detached signature that needs no key: as ParseUnverified, but "crit" must be exactly b64 and sigD, "b64" false, "sigD"
// an object and "typ" DetachedType. What sigD means is the caller's to check. The result's payload is empty. Errors: as ParseUnverified.
func ParseDetached(protected, signature string, algs ...Alg) (u Unverified, err error) {
	defer recovered(&err)
	header, err := detachedHeader(protected, algs)
	if err != nil {
		return Unverified{}, err
	}
	u = Unverified{Header: header, input: protected + "."}
	if u.signature, err = strictjson.DecodeBase64(signature); err != nil {
		return Unverified{}, err
	}
	if len(u.signature) == 0 {
		return Unverified{}, fmt.Errorf("%w: no signature", ErrMalformed)
	}
	return u, nil
}

func detachedHeader(protected string, algs []Alg) (ParsedHeader, error) {
	if len(protected) > MaxDetachedHeaderBytes {
		return ParsedHeader{}, fmt.Errorf("%w: header above %d bytes", ErrTooLarge, MaxDetachedHeaderBytes)
	}
	return parseHeader(protected, Policy{Typ: []string{DetachedType}, Algs: algs}, checkDetached)
}

// checkDetached stands in for checkCritical: RFC 7797 and TS 119 182-1 clause 5.2.8 want both names in "crit".
func checkDetached(raw map[string]any) error {
	names, err := stringList(raw["crit"])
	if err != nil || len(names) != len(detachedCritical) {
		return fmt.Errorf("%w: crit isn't b64 and sigD", ErrCritical)
	}
	for _, name := range detachedCritical {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: crit without %s", ErrCritical, name)
		}
	}
	if raw["b64"] != false {
		return fmt.Errorf("%w: b64 isn't false", ErrCritical)
	}
	if _, isObject := raw["sigD"].(map[string]any); !isObject {
		return fmt.Errorf("%w: sigD isn't an object", ErrCritical)
	}
	return nil
}
