package jwe

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
)

// ErrDecrypt: key and header fit, but the text isn't what the sender encrypted for that key. It says no more, whatever went wrong.
var ErrDecrypt = errors.New("jwe: doesn't decrypt")

// Limits of Decrypt.
const (
	// DefaultMax is how long a JWE, and what comes out of it, may be when the Policy doesn't say.
	DefaultMax = 256 << 10
	maxHeader  = 8 << 10
	maxParty   = 512 // octets of "apu" and "apv"
	nonceSize  = 12  // RFC 7518 section 5.3
	tagSize    = 16
)

// Agreement is a private key on P-256, or a handle to one: *ecdh.PrivateKey is one.
type Agreement interface {
	// ECDH returns the shared secret with a remote key, of which the caller has checked that it is on the curve.
	ECDH(remote *ecdh.PublicKey) ([]byte, error)
}

// Recipient is a key that decrypts, under the name by which senders know it. It never shows its key.
type Recipient struct {
	ID  string // "kid"; a sender who knows no name sends none, and only a recipient without ID fits
	Key Agreement
}

// Format names the recipient for every verb and shows no key.
func (r Recipient) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "recipient:"+r.ID) }

// MarshalJSON names the recipient.
func (r Recipient) MarshalJSON() ([]byte, error) { return json.Marshal("recipient:" + r.ID) }

// Policy says what the caller accepts. The zero Policy accepts nothing.
type Policy struct {
	// Encs are the content encryption algorithms, of DecryptEncs.
	Encs []string
	// Zip accepts "zip": "DEF" (RFC 7516 section 4.1.3).
	Zip bool
	// Max is how long the token may be and what comes out of it, both in bytes; 0 means DefaultMax.
	Max int
}

// Opened is what was encrypted. The encryption proves nothing about who sent it.
type Opened struct {
	Header  Header
	Enc     string
	KeyID   string // of the Recipient
	Payload []byte
}

// DecryptAlgs lists the key management algorithms of Decrypt: ECDH-ES without key wrapping, on P-256.
func DecryptAlgs() []string { return []string{jose.ECDHES} }

// DecryptEncs lists the content encryption algorithms of Decrypt.
func DecryptEncs() []string { return []string{A128GCM, A256GCM} }

// PublicKey is the public half of a recipient, as senders want it: with kid, "alg":"ECDH-ES" and "use":"enc". An empty kid becomes the key's thumbprint.
// Errors as jose.ParseJWK.
func PublicKey(pub *ecdh.PublicKey, kid string) (jose.JWK, error) {
	point := pub.Bytes()
	if pub.Curve() != ecdh.P256() || len(point) != 65 {
		return jose.JWK{}, fmt.Errorf("%w: curve", jose.ErrUnsupportedKey)
	}
	if kid == "" {
		k, err := jose.FromPublic(p256(point), "", "")
		if err != nil {
			return jose.JWK{}, err
		}
		kid = k.Thumbprint()
	}
	enc := strictjson.Base64.EncodeToString
	text, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": enc(point[1:33]), "y": enc(point[33:]), "kid": kid, "alg": jose.ECDHES,
		"use": "enc"})
	if err != nil {
		return jose.JWK{}, err
	}
	return jose.ParseJWK(text)
}

// p256 is a point that crypto/ecdh made.
func p256(point []byte) *ecdsa.PublicKey {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		panic(err)
	}
	return pub
}

// wire is a compact JWE in its parts (RFC 7516 section 7.1).
type wire struct {
	protected     string // as sent: it is what the tag covers
	header        header
	iv, text, tag []byte
}

// header is the protected header, checked against the policy.
type header struct {
	enc, kid, typ, cty string
	zip                bool
	apu, apv           []byte
	epk                *ecdh.PublicKey
}

// Decrypt opens a compact JWE that was made for one of the recipients by ECDH-ES on P-256. Before any cryptography it checks "alg", "enc", "zip" and
// "kid" against policy and recipients, and refuses "crit". Errors: jose.ErrMalformed, jose.ErrTooLarge, jose.ErrDuplicateMember, jose.ErrAlgorithm,
// jose.ErrCritical, jose.ErrNoKey (an unknown kid: the sender's copy of our keys is old), jose.ErrInvalidKey (epk), jose.ErrUnsupportedKey, ErrDecrypt.
func Decrypt(token string, p Policy, recipients ...Recipient) (Opened, error) {
	if p.Max <= 0 {
		p.Max = DefaultMax
	}
	if len(token) > p.Max {
		return Opened{}, fmt.Errorf("%w: JWE above %d bytes", jose.ErrTooLarge, p.Max)
	}
	w, to, err := parse(token, p, recipients)
	if err != nil {
		return Opened{}, err
	}
	secret, err := to.Key.ECDH(w.header.epk)
	if err != nil {
		return Opened{}, ErrDecrypt
	}
	key := concatKDF(secret, w.header.enc, w.header.apu, w.header.apv)
	clear(secret)
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		return Opened{}, ErrDecrypt
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return Opened{}, ErrDecrypt
	}
	plain, err := aead.Open(nil, w.iv, append(w.text, w.tag...), []byte(w.protected))
	if err != nil {
		return Opened{}, ErrDecrypt
	}
	if w.header.zip {
		if plain, err = inflate(plain, p.Max); err != nil {
			return Opened{}, err
		}
	}
	return Opened{Header: Header{Typ: w.header.typ, Cty: w.header.cty}, Enc: w.header.enc, KeyID: to.ID, Payload: plain}, nil
}

// parse takes the token apart and finds the recipient.
func parse(token string, p Policy, recipients []Recipient) (w wire, to Recipient, err error) {
	parts := strings.SplitN(token, ".", 6)
	if len(parts) != 5 {
		return w, to, fmt.Errorf("%w: a compact JWE has five parts", jose.ErrMalformed)
	}
	if len(parts[0]) > maxHeader {
		return w, to, fmt.Errorf("%w: JWE header above %d bytes", jose.ErrTooLarge, maxHeader)
	}
	w.protected = parts[0]
	text, err := strictjson.DecodeBase64(parts[0])
	if err != nil {
		return w, to, err
	}
	if w.header, err = parseHeader(text, p); err != nil {
		return w, to, err
	}
	i := slices.IndexFunc(recipients, func(r Recipient) bool { return r.ID == w.header.kid && r.Key != nil })
	if i < 0 {
		return w, to, fmt.Errorf("%w: kid", jose.ErrNoKey)
	}
	if parts[1] != "" { // the agreed key is used directly (RFC 7518 section 4.6): there is none to unwrap
		return w, to, fmt.Errorf("%w: ECDH-ES with an encrypted key", jose.ErrMalformed)
	}
	for j, into := range []*[]byte{&w.iv, &w.text, &w.tag} {
		if *into, err = strictjson.DecodeBase64(parts[2+j]); err != nil {
			return w, to, err
		}
	}
	if len(w.iv) != nonceSize || len(w.tag) != tagSize {
		return w, to, fmt.Errorf("%w: length of the initialization vector or tag", jose.ErrMalformed)
	}
	return w, recipients[i], nil
}

// parseHeader reads the protected header: what the policy doesn't name is refused before the ephemeral key is looked at.
func parseHeader(text []byte, p Policy) (h header, err error) {
	var members map[string]json.RawMessage
	if err := strictjson.Decode(text, &members); err != nil {
		return h, err
	}
	if members == nil {
		return h, fmt.Errorf("%w: JWE header", jose.ErrMalformed)
	}
	if _, there := members["crit"]; there {
		return h, fmt.Errorf("%w: in a JWE", jose.ErrCritical)
	}
	var alg, zip, apu, apv string
	for name, into := range map[string]*string{"alg": &alg, "enc": &h.enc, "kid": &h.kid, "zip": &zip, "typ": &h.typ, "cty": &h.cty, "apu": &apu, "apv": &apv} {
		if raw, there := members[name]; there && (raw[0] != '"' || json.Unmarshal(raw, into) != nil) {
			return h, fmt.Errorf("%w: JWE header %q isn't a string", jose.ErrMalformed, name)
		}
	}
	if alg != jose.ECDHES {
		return h, fmt.Errorf("%w: alg of a JWE", jose.ErrAlgorithm)
	}
	if !slices.Contains(p.Encs, h.enc) || !slices.Contains(DecryptEncs(), h.enc) {
		return h, fmt.Errorf("%w: enc of a JWE", jose.ErrAlgorithm)
	}
	if _, h.zip = members["zip"]; h.zip && (!p.Zip || zip != "DEF") {
		return h, fmt.Errorf("%w: zip of a JWE", jose.ErrAlgorithm)
	}
	for name, party := range map[*[]byte]string{&h.apu: apu, &h.apv: apv} {
		if *name, err = strictjson.DecodeBase64(party); err != nil || len(*name) > maxParty {
			return h, fmt.Errorf("%w: apu or apv", jose.ErrMalformed)
		}
	}
	h.epk, err = ephemeral(members["epk"])
	return h, err
}

// ephemeral reads "epk". jose.ParseJWK refuses a point off the curve: with one, an answer tells of our private key (invalid curve attack).
func ephemeral(text []byte) (*ecdh.PublicKey, error) {
	if text == nil {
		return nil, fmt.Errorf("%w: ECDH-ES without epk", jose.ErrMalformed)
	}
	k, err := jose.ParseJWK(text)
	if err != nil {
		return nil, fmt.Errorf("epk: %w", err)
	}
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: epk isn't on P-256", jose.ErrUnsupportedKey)
	}
	return pub.ECDH()
}

// concatKDF derives the content encryption key (RFC 7518 section 4.6.2). One round of SHA-256 is enough for 256 bits.
func concatKDF(secret []byte, enc string, apu, apv []byte) []byte {
	size := 16
	if enc == A256GCM {
		size = 32
	}
	var info []byte
	info = binary.BigEndian.AppendUint32(info, 1) // round
	info = append(info, secret...)
	for _, part := range [][]byte{[]byte(enc), apu, apv} {
		info = binary.BigEndian.AppendUint32(info, uint32(len(part)))
		info = append(info, part...)
	}
	info = binary.BigEndian.AppendUint32(info, uint32(size*8))
	sum := sha256.Sum256(info)
	clear(info)
	return sum[:size]
}

// inflate undoes "zip": "DEF", and stops at limit: a kilobyte can hold a megabyte of zeros.
func inflate(b []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(b)
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(limit)+1))
	if len(out) > limit {
		return nil, fmt.Errorf("%w: inflated JWE above %d bytes", jose.ErrTooLarge, limit)
	}
	if err != nil || in.Len() != 0 {
		return nil, fmt.Errorf("%w: DEFLATE of a JWE", jose.ErrMalformed)
	}
	return out, nil
}
