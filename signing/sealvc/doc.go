// Package sealvc is the e-seal as a verifiable credential: what a seal maker says about a seal (GB/T 38540 in the form of an SD-JWT VC of type
// <origin>/types/e-seal/1). Nothing in it is selective and no holder is bound: the seal is public, and what makes it useful is a certificate that it lists.
//
// The package is pure: values in, values out.
package sealvc

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// Path is where the type's metadata are served, below the origin; the origin and Path are the credential's vct.
const Path = "/types/e-seal/1"

// ErrSeal: not the claims of a seal. It is wrapped with which one and why; the text carries no value.
var ErrSeal = errors.New("sealvc: not a seal")

// Limits of a seal.
const (
	MaxName    = 100 // characters
	MaxSigners = 16
)

// Seal is what the credential says beside the registered claims.
type Seal struct {
	// ID is <owner's code>-<kind>-<ten characters of 0-9 and A-Z>.
	ID            string
	Kind          string // of Kinds
	Name          string
	Owner         Owner
	Picture       *Picture // nil: none
	DocumentKinds []string // of DocumentKinds: what the seal may be put on
	// ValidFrom and ValidTo are days in Beijing (YYYY-MM-DD), both included.
	ValidFrom, ValidTo string
	// Signers are the hashes of the certificates that may use the seal; see SignerHash.
	Signers []string
}

// Owner is the organisation whose seal it is.
type Owner struct {
	Code string // unified social credit code
	Name string
}

// Picture names the seal's picture; the bytes travel elsewhere.
type Picture struct {
	MediaType string // image/png or image/jpeg: a drawing that is a program (SVG) is none
	SHA256    string // base64url
}

// Named is an entry of a table with its names.
type Named struct{ ID, ZH, EN string }

// Kinds are the kinds of seal, as in the public security register of seals.
func Kinds() []Named {
	return []Named{
		{"01", "法定名称章", "Organisation seal"},
		{"02", "财务专用章", "Finance seal"},
		{"03", "发票专用章", "Invoice seal"},
		{"04", "合同专用章", "Contract seal"},
		{"05", "法定代表人名章", "Legal representative's name seal"},
		{"99", "其他印章", "Other seal"},
	}
}

// DocumentKinds are the kinds of document that a seal may be limited to.
func DocumentKinds() []Named {
	return []Named{
		{"decision", "决定书", "Decision"},
		{"certificate", "证明", "Certificate"},
		{"approval", "批复", "Approval"},
		{"notice", "通知", "Notice"},
		{"contract", "合同", "Contract"},
		{"invoice", "票据", "Invoice"},
		{"other", "其他文书", "Other document"},
	}
}

func find(table []Named, id string) (Named, bool) {
	for _, n := range table {
		if n.ID == id {
			return n, true
		}
	}
	return Named{}, false
}

// KindNamed returns a kind of seal by its code.
func KindNamed(id string) (Named, bool) { return find(Kinds(), id) }

// DocumentKindNamed returns a kind of document by its id.
func DocumentKindNamed(id string) (Named, bool) { return find(DocumentKinds(), id) }

// DocumentKindURI is the kind of document as the signer's commitment in a sealed file.
func DocumentKindURI(origin, id string) string { return origin + "/document-kinds/" + id }

// SignerHash is how a seal names a certificate that may use it: the SHA-256 of its DER, in base64url.
func SignerHash(der []byte) string {
	h := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// beijing is the legal time of the days in a seal.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// CoversAt reports whether t lies in the days of validity. A seal that isn't well formed covers nothing.
func (s Seal) CoversAt(t time.Time) bool {
	from, err1 := day(s.ValidFrom)
	to, err2 := day(s.ValidTo)
	return err1 == nil && err2 == nil && !t.Before(from) && t.Before(to.AddDate(0, 0, 1))
}

// Expires is the first moment after the last day of validity: the credential's exp. Zero if the day isn't one.
func (s Seal) Expires() time.Time {
	to, err := day(s.ValidTo)
	if err != nil {
		return time.Time{}
	}
	return to.AddDate(0, 0, 1)
}

// day is the first moment of a day in Beijing, written exactly as YYYY-MM-DD.
func day(s string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, beijing)
	if err == nil && (t.Format(time.DateOnly) != s || t.Year() < 1949) {
		err = ErrSeal
	}
	return t, err
}
