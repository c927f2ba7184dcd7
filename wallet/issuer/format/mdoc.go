package format

import (
	"encoding/base64"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/mdoc"
)

// layOutMDoc makes the mobile security object of an mdoc. A type's mandatory elements that the licence lacks are refused: a licence of an older version of
// its type has no such form until it is renewed.
func layOutMDoc(c Content, copy Copy) (Laid, error) {
	if c.Type.MDoc == nil {
		return Laid{}, fmt.Errorf("format: type %s has no mobile document", c.Type.ID)
	}
	has := map[[2]string]bool{}
	for _, ns := range c.NameSpaces {
		for _, e := range ns.Elements {
			has[[2]string{ns.Name, e.ID}] = true
		}
	}
	for _, e := range c.Type.MDoc.Elements {
		if e.Mandatory && !has[[2]string{e.NameSpace, e.ID}] {
			return Laid{}, fmt.Errorf("%w: licence of type %s lacks the element %s", ErrNoForm, c.Type.ID, e.ID)
		}
	}
	laid, err := mdoc.Build(mdoc.Template{DocType: c.Type.MDoc.DocType, NameSpaces: c.NameSpaces, DeviceKey: copy.Holder, Signed: c.Issued, ValidFrom: c.Issued,
		ValidUntil: c.Expires, Status: &mdoc.StatusRef{URI: copy.Status.URI, Index: copy.Status.Index}, Random: copy.Random})
	if err != nil {
		return Laid{}, fmt.Errorf("format: laying out: %w", err)
	}
	return Laid{Payload: laid.MSO, sign: func(key jose.SigningKey, chain [][]byte) (string, error) {
		b, err := mdoc.Issue(key, chain, laid)
		return base64.RawURLEncoding.EncodeToString(b), err
	}}, nil
}
