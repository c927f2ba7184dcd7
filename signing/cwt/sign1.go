package cwt

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
)

// Header is what the signer puts into the headers beside the algorithm, which comes from the key.
type Header struct {
	Typ     string   // protected; "" leaves it out
	KeyID   []byte   // unprotected, nil leaves it out
	X5Chain [][]byte // DER, leaf first, never the root; unprotected, as ISO/IEC 18013-5 section 9.1.2.4 has it
}

// Form is how a message is written.
type Form struct {
	Tagged   bool // COSE_Sign1_Tagged, tag 18
	Detached bool // the payload is signed and left out
}

// Sign makes a COSE_Sign1 of payload (RFC 9052 section 4.4), without external data. The caller must already have recorded
// what it signs. Errors: ErrAlgorithm when COSE has no number for the key's algorithm, or what the key's custody reports.
func Sign(k jose.SigningKey, h Header, f Form, payload []byte) ([]byte, error) {
	if k.Key == nil {
		return nil, fmt.Errorf("%w: no key", jose.ErrInvalidKey)
	}
	alg, err := AlgNumber(k.Alg)
	if err != nil {
		return nil, err
	}
	protected := map[int]any{labelAlg: alg}
	if h.Typ != "" {
		protected[labelTyp] = h.Typ
	}
	unprotected := map[int]any{}
	if h.KeyID != nil {
		unprotected[labelKeyID] = h.KeyID
	}
	switch len(h.X5Chain) {
	case 0:
	case 1:
		unprotected[labelX5Chain] = h.X5Chain[0]
	default:
		unprotected[labelX5Chain] = h.X5Chain
	}
	head, err := Marshal(protected)
	if err != nil {
		return nil, err
	}
	input, err := signatureInput(head, payload)
	if err != nil {
		return nil, err
	}
	sig, err := k.Alg.Sign(k.Key, input)
	if err != nil {
		return nil, err
	}
	message := []any{head, unprotected, payload, sig}
	if f.Detached {
		message[2] = nil
	}
	if f.Tagged {
		return MarshalTag(tagSign1, message)
	}
	return Marshal(message)
}

// signatureInput is Sig_structure (RFC 9052 section 4.4), with no external data.
func signatureInput(protected, payload []byte) ([]byte, error) {
	if protected == nil {
		protected = []byte{}
	}
	if payload == nil {
		payload = []byte{}
	}
	return Marshal([]any{"Signature1", protected, []byte{}, payload})
}

// Policy says what a message of one purpose must look like before any key is tried. The zero Policy accepts nothing.
type Policy struct {
	Tagged   bool       // it must be, else it must not be
	Detached bool       // the payload must be left out, else it must be there
	Algs     []jose.Alg // an empty list accepts none
	Typ      string     // the typ header, compared exactly; "" accepts any and none
	MaxBytes int        // 0 means DefaultMaxBytes
}

// Unverified is a message whose structure was checked and whose signature was not. Use it to find the key.
type Unverified struct {
	alg                           jose.Alg
	typ                           string
	keyID                         []byte
	x5chain                       [][]byte
	protected, payload, signature []byte
}

// Alg is the algorithm of the protected header.
func (u Unverified) Alg() jose.Alg { return u.alg }

// Typ is the type of the protected header, "" without one.
func (u Unverified) Typ() string { return u.typ }

// KeyID is the key id of either header, nil without one. It is a hint.
func (u Unverified) KeyID() []byte { return u.keyID }

// X5Chain is the chain of either header, DER, leaf first; nil without one. It says who signed, not that he may.
func (u Unverified) X5Chain() [][]byte { return u.x5chain }

// Payload is the payload, not proven; nil when detached. Don't change it.
func (u Unverified) Payload() []byte { return u.payload }

// Verified is a message whose signature was checked by one of the caller's keys. Only Verify makes one.
type Verified struct {
	message Unverified
	key     jose.JWK
}

// Payload is what was signed. Don't change it.
func (v Verified) Payload() []byte { return v.message.payload }

// Key is the key that verified the message.
func (v Verified) Key() jose.JWK { return v.key }

// Verify checks the signature with keys that the caller trusts for this purpose. Keys for encryption, or whose type, curve
// or declared algorithm doesn't fit, are never tried. Errors: ErrPayload for a detached message, jose.ErrNoKey,
// jose.ErrSignature.
func (u Unverified) Verify(keys ...jose.JWK) (Verified, error) {
	if u.payload == nil {
		return Verified{}, ErrPayload
	}
	return u.verify(u.payload, keys)
}

// VerifyDetached is Verify of a message whose payload the caller has made himself.
func (u Unverified) VerifyDetached(payload []byte, keys ...jose.JWK) (Verified, error) {
	if u.payload != nil {
		return Verified{}, fmt.Errorf("%w: the message has one", ErrPayload)
	}
	u.payload = payload
	return u.verify(payload, keys)
}

func (u Unverified) verify(payload []byte, keys []jose.JWK) (Verified, error) {
	input, err := signatureInput(u.protected, payload)
	if err != nil {
		return Verified{}, err
	}
	err = jose.ErrNoKey
	for _, k := range keys {
		if k.IsZero() || k.Use() != "" && k.Use() != "sig" || k.Alg() != "" && k.Alg() != u.alg {
			continue
		}
		if err = u.alg.Verify(k.Public(), input, u.signature); err == nil {
			return Verified{message: u, key: k}, nil
		}
	}
	return Verified{}, err
}

// Parse does every check of a COSE_Sign1 that needs no key: size, form, headers, algorithm, type. Errors: ErrTooLarge, ErrMalformed,
// ErrHeader, ErrAlgorithm, ErrType, ErrPayload.
func Parse(b []byte, p Policy) (Unverified, error) {
	limit := p.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	if len(b) > limit {
		return Unverified{}, fmt.Errorf("%w: message over %d bytes", ErrTooLarge, limit)
	}
	if p.Tagged {
		number, content, err := ParseTag(b)
		if err != nil {
			return Unverified{}, err
		}
		if number != tagSign1 {
			return Unverified{}, fmt.Errorf("%w: not tagged as COSE_Sign1", ErrMalformed)
		}
		b = content
	}
	if len(b) == 0 || b[0]>>5 != 4 {
		return Unverified{}, fmt.Errorf("%w: COSE_Sign1 isn't an array", ErrMalformed)
	}
	var parts []Raw
	if err := Unmarshal(b, &parts); err != nil {
		return Unverified{}, err
	}
	if len(parts) != 4 {
		return Unverified{}, fmt.Errorf("%w: COSE_Sign1 has four parts", ErrMalformed)
	}
	u := Unverified{}
	if err := byteString(parts[0], &u.protected); err != nil {
		return Unverified{}, err
	}
	if err := u.parseHeaders(parts[1], p); err != nil {
		return Unverified{}, err
	}
	if err := u.parsePayload(parts[2], p.Detached); err != nil {
		return Unverified{}, err
	}
	return u, byteString(parts[3], &u.signature)
}

func (u *Unverified) parsePayload(raw Raw, detached bool) error {
	null := len(raw) == 1 && raw[0] == 0xf6
	switch {
	case null != detached:
		return ErrPayload
	case detached:
		return nil
	}
	if err := byteString(raw, &u.payload); err != nil {
		return err
	}
	if u.payload == nil {
		u.payload = []byte{}
	}
	return nil
}

// parseHeaders reads both headers. Labels are compared as they are encoded, so one has one spelling only: whole numbers in the
// shortest form, and text, of which we know none.
var undefined = []byte{0xf7} // CBOR's "undefined" (RFC 8949 section 3.3)

func (u *Unverified) parseHeaders(rawUnprotected Raw, p Policy) error {
	var protected, unprotected map[any]Raw
	if len(u.protected) == 0 || u.protected[0]>>5 != 5 || len(rawUnprotected) == 0 || rawUnprotected[0]>>5 != 5 {
		return fmt.Errorf("%w: not a map", ErrHeader) // an empty protected header has no algorithm
	}
	if err := Unmarshal(u.protected, &protected); err != nil {
		return err
	}
	if err := Unmarshal(rawUnprotected, &unprotected); err != nil {
		return err
	}
	for label := range protected {
		if _, both := unprotected[label]; both {
			return fmt.Errorf("%w: one label in both headers", ErrHeader)
		}
	}
	for _, label := range []any{int64(labelAlg), int64(labelCrit), int64(labelTyp)} {
		if _, there := unprotected[label]; there {
			return fmt.Errorf("%w: label %d must be protected", ErrHeader, label)
		}
	}
	if _, there := protected[int64(labelCrit)]; there {
		return fmt.Errorf("%w: crit names what we don't understand", ErrHeader)
	}
	var alg int64
	if err := Unmarshal(protected[int64(labelAlg)], &alg); err != nil {
		return fmt.Errorf("%w: alg: %w", ErrHeader, err)
	}
	u.alg = algorithms[alg]
	if u.alg == "" || !slices.Contains(p.Algs, u.alg) {
		return fmt.Errorf("%w: %d", ErrAlgorithm, alg)
	}
	if err := u.parseType(protected[int64(labelTyp)], p.Typ); err != nil {
		return err
	}
	either := func(label int64) Raw {
		if raw, there := protected[label]; there {
			return raw
		}
		return unprotected[label]
	}
	// Some wallets write undefined when the key has no name (@auth0/mdl 3).
	if raw := either(labelKeyID); raw != nil && !bytes.Equal(raw, undefined) {
		if err := byteString(raw, &u.keyID); err != nil {
			return fmt.Errorf("%w: kid: %w", ErrHeader, err)
		}
	}
	return u.parseX5Chain(either(labelX5Chain))
}

func (u *Unverified) parseType(raw Raw, want string) error {
	if raw == nil {
		if want != "" {
			return fmt.Errorf("%w: none", ErrType)
		}
		return nil
	}
	if err := Unmarshal(raw, &u.typ); err != nil && want != "" { // a content format's number is a type of others
		return fmt.Errorf("%w: not a text", ErrType)
	}
	if want != "" && u.typ != want {
		return ErrType
	}
	return nil
}

// parseX5Chain reads one certificate as a byte string or several as an array (RFC 9360 section 2).
func (u *Unverified) parseX5Chain(raw Raw) error {
	if raw == nil {
		return nil
	}
	var one []byte
	if byteString(raw, &one) == nil {
		u.x5chain = [][]byte{one}
		return nil
	}
	var many []Raw
	if err := Unmarshal(raw, &many); err != nil {
		return fmt.Errorf("%w: x5chain: %w", ErrHeader, err)
	}
	if len(many) == 0 || len(many) > maxCertificates {
		return fmt.Errorf("%w: %d certificates", ErrHeader, len(many))
	}
	for _, m := range many {
		var der []byte
		if err := byteString(m, &der); err != nil {
			return fmt.Errorf("%w: x5chain: %w", ErrHeader, err)
		}
		u.x5chain = append(u.x5chain, der)
	}
	return nil
}
