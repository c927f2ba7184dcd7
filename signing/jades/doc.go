// Package jades makes and reads the signature of a sealed file: a detached JAdES (ETSI TS 119 182-1, level B-B) in flattened JSON, by one key, over one file.
//
// What is signed is the protected header alone. It names the file by its SHA-256 (sigD, ObjectIdByURIHash, b64 false: over the file's own bytes), the kind of
// document as the signer's commitment (srCms), the seal as a signed assertion (srAts), the signer's certificates and the claimed time. docs/seal-format.md has an example.
//
// The package checks form and signature. Whether the certificate may use the seal, whether the seal is in force and whether the file is the one that was
// sealed is for signing/verify/seal.
//
// The package is pure: it does no I/O, reads no clock and keeps no state.
package jades

import (
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Limits of a signature.
const (
	// MaxBytes is the longest signature that Parse reads. It leaves room for timestamps that others may add to it.
	MaxBytes = 256 << 10
	// MaxSealBytes is the longest credential of a seal.
	MaxSealBytes = 24 << 10
	// MaxNameBytes limits the name of the file.
	MaxNameBytes = 255
)

// Errors of this package. They are wrapped with detail, which carries no content of the signature; test with errors.Is.
var (
	// ErrMalformed: not a signature of this form. What internal/jose refuses in it is wrapped too.
	ErrMalformed = errors.New("jades: malformed")
	// ErrTooLarge: above a limit of size.
	ErrTooLarge = errors.New("jades: too large")
	// ErrSignature: the certificate's key didn't make the signature.
	ErrSignature = errors.New("jades: signature is wrong")
	// ErrTemplate: LayOut can't lay this out.
	ErrTemplate = errors.New("jades: can't be laid out")
)

// Names on the wire.
const (
	byURIHash       = "http://uri.etsi.org/19182/ObjectIdByURIHash"
	hashMethod      = "S256"
	sealMediaType   = "application/dc+sd-jwt"
	sealEncoding    = "binary" // RFC 2045: the text as it is
	unknownType     = "application/octet-stream"
	unnamedDocument = "document"
)

// Document is the file that was sealed.
type Document struct {
	SHA256 [32]byte
	// Name is what the file was called then, without folders; "" becomes "document". It says nothing about the file at hand.
	Name string
	// MediaType is what the signer took the file for; "" becomes application/octet-stream.
	MediaType string
}

// Template is what a signer wants to say.
type Template struct {
	Document Document
	// Seal is the seal's credential (SD-JWT VC without disclosures).
	Seal string
	// KindURI is the kind of document: sealvc.DocumentKindURI.
	KindURI string
	// IssuedAt is the claimed time; whole seconds count.
	IssuedAt time.Time
	// Chain is DER: the signer's certificate first, never the root.
	Chain [][]byte
}

// Parsed is a signature whose form was checked and whose signature was not. Nothing in it can be trusted.
type Parsed struct {
	document   Document
	seal, kind string
	issuedAt   time.Time
	protected  []byte
	token      jose.Unverified
}

// Document returns the file that the signature is about. Compare its SHA256 with the file at hand.
func (p Parsed) Document() Document { return p.document }

// Seal returns the seal's credential, unchecked.
func (p Parsed) Seal() string { return p.seal }

// KindURI returns the kind of document that the signer says it is.
func (p Parsed) KindURI() string { return p.kind }

// IssuedAt returns the claimed time.
func (p Parsed) IssuedAt() time.Time { return p.issuedAt }

// X5C returns the signer's certificate and what leads to an anchor, as DER. Only the first is bound by x5t#S256; who they are is not checked.
func (p Parsed) X5C() [][]byte { return p.token.Header.X5C }

// Alg returns the signature's algorithm, which is ES256.
func (p Parsed) Alg() jose.Alg { return p.token.Header.Alg }

// Protected returns the header's exact bytes, as LayOut made them. Don't change them.
func (p Parsed) Protected() []byte { return p.protected }

// Verified is a signature that the key of its own certificate made. Only Verify makes one.
type Verified struct {
	Parsed
	key jose.JWK
}

// Key returns the key that made the signature.
func (v Verified) Key() jose.JWK { return v.key }
