package jades

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/jose"
)

// The wire form. The order of members is fixed, so that equal templates give equal bytes.
type header struct {
	Alg   jose.Alg     `json:"alg"`
	Typ   string       `json:"typ"`
	Iat   int64        `json:"iat"`
	X5T   string       `json:"x5t#S256"`
	X5C   [][]byte     `json:"x5c"` // encoding/json writes []byte as standard base64 with padding
	SrCms []commitment `json:"srCms"`
	SrAts attributes   `json:"srAts"`
	SigD  sigD         `json:"sigD"`
	B64   bool         `json:"b64"`
	Crit  []string     `json:"crit"`
}

type commitment struct {
	CommID objectID `json:"commId"`
}

type objectID struct {
	ID string `json:"id"`
}

type attributes struct {
	SignedAssertions []assertion `json:"signedAssertions"`
}

type assertion struct {
	MediaType string   `json:"mediaType"`
	Encoding  string   `json:"encoding"`
	QVals     []string `json:"qVals"`
}

type sigD struct {
	MID   string   `json:"mId"`
	Pars  []string `json:"pars"`
	HashM string   `json:"hashM"`
	HashV []string `json:"hashV"`
	CTys  []string `json:"ctys"`
}

// flattened is the JWS JSON serialization; a detached one has no payload (RFC 7515 appendix F).
type flattened struct {
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// LayOut makes the protected header: the exact bytes to record before they are signed. What it makes, Parse reads back. ErrTemplate.
func LayOut(t Template) (protected []byte, err error) {
	if t.Document.Name == "" {
		t.Document.Name = unnamedDocument
	}
	if t.Document.MediaType == "" {
		t.Document.MediaType = unknownType
	}
	switch {
	case t.Document.SHA256 == [32]byte{}:
		return nil, fmt.Errorf("%w: no digest", ErrTemplate) // forgotten
	case !nameFits(t.Document.Name):
		return nil, fmt.Errorf("%w: name of the file", ErrTemplate)
	case !mediaTypeFits(t.Document.MediaType):
		return nil, fmt.Errorf("%w: media type", ErrTemplate)
	case !sealFits(t.Seal):
		return nil, fmt.Errorf("%w: seal", ErrTemplate)
	case !uriFits(t.KindURI):
		return nil, fmt.Errorf("%w: kind of document", ErrTemplate)
	case t.IssuedAt.Unix() <= 0:
		return nil, fmt.Errorf("%w: no time", ErrTemplate)
	case len(t.Chain) == 0:
		return nil, fmt.Errorf("%w: no certificate", ErrTemplate)
	}
	leaf := sha256.Sum256(t.Chain[0])
	h := header{
		Alg: jose.ES256, Typ: jose.DetachedType, Iat: t.IssuedAt.Unix(), X5T: encode(leaf[:]), X5C: t.Chain,
		SrCms: []commitment{{objectID{t.KindURI}}},
		SrAts: attributes{[]assertion{{MediaType: sealMediaType, Encoding: sealEncoding, QVals: []string{t.Seal}}}},
		SigD: sigD{MID: byURIHash, Pars: []string{escapeName(t.Document.Name)}, HashM: hashMethod, HashV: []string{encode(t.Document.SHA256[:])},
			CTys: []string{shortType(t.Document.MediaType)}},
		Crit: []string{"b64", "sigD"},
	}
	b, err := marshal(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	// What is recorded and then can't be signed would be a use that never was: so it is read back now.
	if _, err := parse(unsigned(b)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return b, nil
}

// unsigned is the form of a signature with a header, for checks of the header.
func unsigned(header []byte) []byte {
	b, _ := marshal(flattened{Protected: encode(header), Signature: encode(make([]byte, 64))}) // of strings: it can't fail
	return b
}

// Sign signs what LayOut made and returns the file to hand out: flattened JSON on one line. Errors: those of jose.SignDetached; ErrMalformed or
// ErrSignature if the header isn't one of ours or names another key's certificate, so that nothing leaves that Parse and Verify wouldn't take.
func Sign(key jose.SigningKey, protected []byte) ([]byte, error) {
	var f flattened
	var err error
	if f.Protected, f.Signature, err = jose.SignDetached(key, protected); err != nil {
		return nil, err
	}
	b, err := marshal(f)
	if err != nil {
		return nil, err
	}
	p, err := Parse(b)
	if err != nil {
		return nil, err
	}
	if _, err := p.Verify(); err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// marshal writes JSON without HTML's escapes, as other libraries do.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// nameFits: a name that can be shown and is no path.
func nameFits(s string) bool {
	return s != "" && len(s) <= MaxNameBytes && utf8.ValidString(s) && !strings.ContainsAny(s, `/\`) && s != "." && s != ".." &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// escapeName makes the name a URI reference, which never looks like one with a scheme, nor with a plus that some take for a space.
func escapeName(s string) string {
	return strings.NewReplacer(":", "%3A", "+", "%2B").Replace(url.PathEscape(s))
}

// mediaTypeFits: type and subtype in small letters, without parameters.
func mediaTypeFits(s string) bool {
	parsed, parameters, err := mime.ParseMediaType(s)
	return err == nil && parsed == s && len(parameters) == 0 && strings.Count(s, "/") == 1 && len(s) <= 127
}

// shortType leaves out "application/", as RFC 7515 section 4.1.10 recommends.
func shortType(s string) string { return strings.TrimPrefix(s, "application/") }

// sealFits: a compact token and the tilde that ends an SD-JWT without disclosures.
func sealFits(s string) bool {
	token, ok := strings.CutSuffix(s, "~")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	return ok && len(s) <= MaxSealBytes && strings.Count(token, ".") == 2 && strings.Trim(token, alphabet) == "" && !strings.ContainsAny(token, "~")
}

// uriFits: an absolute URI.
func uriFits(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && u.Host != "" && u.String() == s && len(s) <= 512 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
