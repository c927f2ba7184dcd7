package mdoc

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

// Parsed is one document whose structure and digests hold together. Nothing in it is proven until Verify.
type Parsed struct {
	auth      cwt.Unverified
	mso       wireMSO
	deviceKey jose.JWK
	validity  Validity
	status    *StatusRef
	spaces    []string // names, sorted
	elements  map[string]map[string]any
	raw       map[string]map[string]cwt.Raw // the #6.24 items as received
	issuer    cwt.Raw                       // issuerAuth as received
	device    *deviceSigned
}

// Validity is validityInfo.
type Validity struct{ Signed, ValidFrom, ValidUntil time.Time }

var policy = cwt.Policy{Algs: []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA}, MaxBytes: MaxBytes}

type wireIssuerSigned struct {
	NameSpaces map[string][]cwt.Raw `cbor:"nameSpaces,omitempty"`
	IssuerAuth cwt.Raw              `cbor:"issuerAuth"`
}

// ParseIssuerSigned reads IssuerSigned, as a wallet gets it, and checks everything about it that needs no key: the form of
// the signature, validityInfo, and that every element is one that the MSO has a digest for.
func ParseIssuerSigned(b []byte) (Parsed, error) {
	if len(b) > MaxBytes {
		return Parsed{}, ErrTooLarge
	}
	var w wireIssuerSigned
	if err := unmarshal(b, &w, "IssuerSigned"); err != nil {
		return Parsed{}, err
	}
	if w.IssuerAuth == nil {
		return Parsed{}, ErrNotIssuerSigned
	}
	return parseIssuerSigned(w)
}

// unmarshal names what couldn't be read.
func unmarshal(b []byte, v any, what string) error {
	if err := cwt.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
	}
	return nil
}

func parseIssuerSigned(w wireIssuerSigned) (p Parsed, err error) {
	p.issuer = w.IssuerAuth
	if p.auth, err = cwt.Parse(w.IssuerAuth, policy); err != nil {
		return Parsed{}, fmt.Errorf("%w: issuerAuth: %w", ErrMalformed, err)
	}
	if len(p.auth.X5Chain()) == 0 {
		return Parsed{}, ErrNoChain
	}
	inner, err := cwt.ParseEncoded(p.auth.Payload())
	if err != nil {
		return Parsed{}, fmt.Errorf("%w: MSO: %w", ErrMalformed, err)
	}
	if err := unmarshal(inner, &p.mso, "MSO"); err != nil {
		return Parsed{}, err
	}
	if err := p.parseMSO(); err != nil {
		return Parsed{}, err
	}
	return p, p.parseElements(w.NameSpaces)
}

func (p *Parsed) parseMSO() (err error) {
	if !strings.HasPrefix(p.mso.Version, "1.") || p.mso.DocType == "" {
		return fmt.Errorf("%w: version or docType of the MSO", ErrMalformed)
	}
	if digester(p.mso.DigestAlgorithm) == nil {
		return fmt.Errorf("%w: digestAlgorithm", ErrMalformed)
	}
	if p.deviceKey, err = cwt.ParseKey(p.mso.DeviceKeyInfo.DeviceKey); err != nil {
		return fmt.Errorf("%w: deviceKey: %w", ErrMalformed, err)
	}
	v := p.mso.ValidityInfo
	for _, f := range []struct {
		to  *time.Time
		raw cwt.Raw
	}{{&p.validity.Signed, v.Signed}, {&p.validity.ValidFrom, v.ValidFrom}, {&p.validity.ValidUntil, v.ValidUntil}} {
		value, err := decodeValue(f.raw)
		date, isDate := value.(TDate)
		if err != nil || !isDate {
			return fmt.Errorf("%w: validityInfo needs three tdates", ErrMalformed)
		}
		if *f.to, err = date.Time(); err != nil {
			return err
		}
	}
	if p.validity.ValidFrom.Before(p.validity.Signed) || !p.validity.ValidUntil.After(p.validity.ValidFrom) {
		return ErrValidity
	}
	if s := p.mso.Status; s != nil && s.List != nil {
		if s.List.URI == nil || *s.List.URI == "" || s.List.Index == nil || *s.List.Index < 0 {
			return fmt.Errorf("%w: status_list needs uri and idx", ErrMalformed) // broken must not count as "has no status"
		}
		p.status = &StatusRef{URI: *s.List.URI, Index: *s.List.Index}
	}
	return nil
}

func digester(name string) func([]byte) []byte {
	switch name {
	case "SHA-256":
		return func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	case "SHA-384":
		return func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }
	case "SHA-512":
		return func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }
	}
	return nil
}

// parseElements reads the items and compares each with its digest, over the tagged bytes as received (ISO/IEC 18013-5
// section 9.1.2.5).
func (p *Parsed) parseElements(spaces map[string][]cwt.Raw) error {
	digest, total := digester(p.mso.DigestAlgorithm), 0
	p.elements, p.raw = make(map[string]map[string]any, len(spaces)), make(map[string]map[string]cwt.Raw, len(spaces))
	p.spaces = slices.Sorted(maps.Keys(spaces))
	for _, name := range p.spaces {
		if total += len(spaces[name]); total > MaxElements {
			return fmt.Errorf("%w: elements", ErrTooLarge)
		}
		elements, raw := map[string]any{}, map[string]cwt.Raw{}
		for _, tagged := range spaces[name] {
			item, err := parseItem(tagged)
			if err != nil {
				return err
			}
			if _, twice := raw[item.ID]; twice { // a digest id can't come twice: it would be the digest of two items
				return ErrDuplicate
			}
			want, there := p.mso.ValueDigests[name][item.DigestID]
			if !there || !bytes.Equal(want, digest(tagged)) {
				return ErrDigest
			}
			raw[item.ID] = tagged
			if elements[item.ID], err = decodeValue(item.Value); err != nil {
				return fmt.Errorf("%w: elementValue: %w", ErrMalformed, err)
			}
		}
		p.elements[name], p.raw[name] = elements, raw
	}
	return nil
}

func parseItem(tagged cwt.Raw) (wireItem, error) {
	inner, err := cwt.ParseEncoded(tagged)
	if err != nil {
		return wireItem{}, fmt.Errorf("%w: IssuerSignedItem: %w", ErrMalformed, err)
	}
	var w struct {
		DigestID *uint32 `cbor:"digestID"`
		Random   []byte  `cbor:"random"`
		ID       *string `cbor:"elementIdentifier"`
		Value    cwt.Raw `cbor:"elementValue"`
	}
	if err := unmarshal(inner, &w, "IssuerSignedItem"); err != nil {
		return wireItem{}, err
	}
	if w.DigestID == nil || w.ID == nil || len(w.Value) == 0 {
		return wireItem{}, fmt.Errorf("%w: a member of IssuerSignedItem is missing", ErrMalformed)
	}
	if len(w.Random) < MinRandom {
		return wireItem{}, ErrRandom
	}
	return wireItem{DigestID: *w.DigestID, Random: w.Random, ID: *w.ID, Value: w.Value}, nil
}

// DocType is the document's type, not proven.
func (p Parsed) DocType() string { return p.mso.DocType }

// X5Chain is the issuer's chain, DER, leaf first. It says who signed, not that he may.
func (p Parsed) X5Chain() [][]byte { return p.auth.X5Chain() }

// Alg is the algorithm of the issuer's signature.
func (p Parsed) Alg() jose.Alg { return p.auth.Alg() }

// MSO is the issuer's payload, #6.24(bstr .cbor MobileSecurityObject), byte for byte, not proven. Don't change it.
func (p Parsed) MSO() []byte { return p.auth.Payload() }

// UnverifiedElements are the elements by namespace and identifier. Nobody has vouched for them yet. Read only.
func (p Parsed) UnverifiedElements() map[string]map[string]any { return p.elements }

// UnverifiedValidity is what Verified.Validity returns, not proven.
func (p Parsed) UnverifiedValidity() Validity { return p.validity }

// UnverifiedStatus is what Verified.Status returns, not proven.
func (p Parsed) UnverifiedStatus() (ref StatusRef, ok bool) {
	if p.status == nil {
		return StatusRef{}, false
	}
	return *p.status, true
}

// Hidden is the number of digests in the MSO without an element: what stayed with the holder.
func (p Parsed) Hidden() int {
	n := 0
	for name, digests := range p.mso.ValueDigests {
		n += len(digests) - len(p.raw[name])
	}
	return n
}

// HasDeviceAuth reports whether the document came with device authentication. A verifier never concludes from it whether
// one is needed.
func (p Parsed) HasDeviceAuth() bool { return p.device != nil }

// Verify checks the issuer's signature with the given keys. Which keys may sign is the caller's decision, before this call:
// the key of the chain is trusted only after the chain was.
func (p Parsed) Verify(keys ...jose.JWK) (Verified, error) {
	if _, err := p.auth.Verify(keys...); err != nil {
		return Verified{}, fmt.Errorf("mdoc: issuerAuth: %w", err)
	}
	return Verified{p}, nil
}

// Verified is a document whose issuer's signature was checked. Only Parsed.Verify makes it. That it is in force (Validity,
// Status) and whose it is (DeviceAuth) are further questions.
type Verified struct{ parsed Parsed }

// Parsed returns what Verify was called on.
func (v Verified) Parsed() Parsed { return v.parsed }

// DocType is the document's type.
func (v Verified) DocType() string { return v.parsed.mso.DocType }

// Elements are the elements shown, by namespace and identifier. Read only.
func (v Verified) Elements() map[string]map[string]any { return v.parsed.elements }

// DeviceKey is the key that the document is bound to.
func (v Verified) DeviceKey() jose.JWK { return v.parsed.deviceKey }

// Validity says when the issuer signed and between which moments the document may be relied on.
func (v Verified) Validity() Validity { return v.parsed.validity }

// Status says where the document's status stands; ok is false when the issuer gave none.
func (v Verified) Status() (ref StatusRef, ok bool) { return v.parsed.UnverifiedStatus() }
