// Package content is what a copy in the hosted wallet consists of, an SD-JWT VC and perhaps an mdoc of the same licence, what is shown of the mdoc, and how both are
// sealed. Pure: keys and times are arguments.
package content

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// Formats of what is shown (OpenID4VCI 1.0, appendix A).
const (
	SDJWT = sdjwt.Typ
	MDoc  = mdoc.Format
)

// ErrUnusable: an issued credential that can't be kept.
var ErrUnusable = errors.New("hosted: issued credential unusable")

// Element is one data element of a licence's mdoc form. Claim is the claim that says the same; an element without one is a constant of the type, which is
// always shown.
type Element struct{ Claim, NameSpace, ID string }

// sealedCopy is the form at rest. Copies from before there were mdocs are a JSON string.
type sealedCopy struct {
	SDJWT string `json:"sd_jwt"`
	MDoc  string `json:"mdoc,omitempty"`
}

// Copy is a copy in the clear.
type Copy struct {
	VC sdjwt.Parsed
	// Doc is nil when the copy has no mdoc.
	Doc *mdoc.Parsed
}

// Seal seals the credentials of a copy, base64url for the mdoc, which may be empty. It returns when the copy ends: with the first of the two.
func Seal(s *httpx.Sealer, purpose, vc, doc string) (sealed string, expires time.Time, err error) {
	c, err := parse(sealedCopy{vc, doc})
	if err != nil {
		return "", time.Time{}, err
	}
	number, _ := c.VC.UnverifiedClaims()["exp"].(json.Number)
	exp, err := number.Int64()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("%w: no end", ErrUnusable)
	}
	expires = time.Unix(exp, 0)
	if c.Doc != nil && c.Doc.UnverifiedValidity().ValidUntil.Before(expires) {
		expires = c.Doc.UnverifiedValidity().ValidUntil
	}
	sealed, err = s.Seal(purpose, sealedCopy{vc, doc})
	return sealed, expires, err
}

// Open opens what Seal sealed.
func Open(s *httpx.Sealer, purpose, sealed string) (Copy, error) {
	var raw json.RawMessage
	if err := s.Open(purpose, sealed, &raw); err != nil {
		return Copy{}, err
	}
	var c sealedCopy
	var err error
	if len(raw) > 0 && raw[0] == '"' {
		err = json.Unmarshal(raw, &c.SDJWT)
	} else {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return Copy{}, err
	}
	return parse(c)
}

func parse(c sealedCopy) (out Copy, err error) {
	if out.VC, err = sdjwt.Parse(c.SDJWT); err != nil {
		return Copy{}, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if c.MDoc == "" {
		return out, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(c.MDoc)
	if err != nil {
		return Copy{}, fmt.Errorf("%w: mdoc: not base64url", ErrUnusable)
	}
	doc, err := mdoc.ParseIssuerSigned(b)
	if err != nil {
		return Copy{}, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	out.Doc = &doc
	return out, nil
}

// Says reports whether the mdoc has an element that says the same as the claim.
func Says(doc mdoc.Parsed, elements []Element, claim string) bool {
	return len(pick(doc, elements, func(e Element) bool { return e.Claim == claim })) > 0
}

// Present makes the DeviceResponse that answers a challenge with the elements of the claims, and the constants; base64url. Everything else stays hidden.
func Present(doc mdoc.Parsed, elements []Element, claims []string, key jose.SigningKey, nonce, audience string) (string, error) {
	transcript, err := mdoc.Challenge(nonce, audience)
	if err != nil {
		return "", err
	}
	show := pick(doc, elements, func(e Element) bool { return e.Claim == "" || slices.Contains(claims, e.Claim) })
	b, err := doc.Present(key, transcript, show...)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// pick lists the wanted elements that the document has.
func pick(doc mdoc.Parsed, elements []Element, want func(Element) bool) []mdoc.Show {
	var out []mdoc.Show
	for _, e := range elements {
		if _, there := doc.UnverifiedElements()[e.NameSpace][e.ID]; there && want(e) {
			out = append(out, mdoc.Show{NameSpace: e.NameSpace, Elements: []string{e.ID}})
		}
	}
	return out
}

// ShowID is the name of a showing in the store, made of the secret in its link: from it the link can't be found.
func ShowID(secret string) string {
	sum := sha256.Sum256([]byte("hufu shown\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// shownSealer seals what was shown by its link: who has the database alone can't read it.
func shownSealer(secret string) (*httpx.Sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "hufu shown presentation", 32)
	if err != nil {
		return nil, err
	}
	return httpx.NewSealer(key), nil
}

// SealShown seals a presentation by the secret of its link.
func SealShown(secret, presentation string) (string, error) {
	sealer, err := shownSealer(secret)
	if err != nil {
		return "", err
	}
	return sealer.Seal("hosted/shown", presentation)
}

// OpenShown opens what SealShown sealed.
func OpenShown(secret, sealed string) (string, error) {
	sealer, err := shownSealer(secret)
	if err != nil {
		return "", err
	}
	var text string
	return text, sealer.Open("hosted/shown", sealed, &text)
}
