// Package format lays out a licence as a credential of each format and signs what was laid out. Pure: time, randomness and keys are arguments.
package format

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
)

// Format is a Credential Format Identifier.
type Format = catalog.Format

// The formats (OpenID4VCI 1.0, appendix A).
const (
	SDJWT = catalog.SDJWT
	MDoc  = catalog.MDoc
)

// ErrNoForm: the licence does not have what the form asks for; it was made under an older version of its type.
var ErrNoForm = errors.New("format: the licence has no such form")

// NameSpace are the data elements of one name space of a mobile document.
type NameSpace = mdoc.NameSpace

// StatusRef is where the status of a credential is looked up.
type StatusRef struct {
	URI   string
	Index int64
}

// Content is what a credential says, the same for all copies of a batch.
type Content struct {
	Type catalog.CredentialType
	// Issuer is the Credential Issuer Identifier.
	Issuer string
	// Claims and NameSpaces are the licence in the shape of the formats.
	Claims     map[string]any
	NameSpaces []NameSpace
	// Issued and Expires are coarse: no time tells the copies apart.
	Issued, Expires time.Time
}

// Copy is what is one copy's own.
type Copy struct {
	Holder jose.JWK
	Status StatusRef
	// Random gives salts; crypto/rand.Reader.
	Random io.Reader
}

// Laid is a credential that is ready to be signed.
type Laid struct {
	// Payload is what is recorded, then signed.
	Payload []byte
	sign    func(key jose.SigningKey, chain [][]byte) (string, error)
}

// Sign signs what was laid out and returns the credential as the Credential Response carries it.
func (l Laid) Sign(key jose.SigningKey, chain [][]byte) (string, error) { return l.sign(key, chain) }

// LayOut lays out one copy. A licence that does not fit its type is an error: a fault of type or register, not of the wallet.
func LayOut(f Format, c Content, copy Copy) (Laid, error) {
	switch f {
	case SDJWT:
		return layOutSDJWT(c, copy)
	case MDoc:
		return layOutMDoc(c, copy)
	}
	return Laid{}, fmt.Errorf("format: no such format %q", f)
}

// layOutSDJWT makes payload and disclosures of an SD-JWT VC. A claim that the type doesn't describe is refused, because everybody would see
// it; so is a licence without a mandatory claim.
func layOutSDJWT(c Content, copy Copy) (Laid, error) {
	described := map[string]bool{}
	var selective []sdjwt.Path
	absent := 0
	for _, claim := range c.Type.Claims {
		described[claim.Path[0].(string)] = true
		present := claim.Path.Lookup(c.Claims)
		if claim.Mandatory && !present {
			return Laid{}, fmt.Errorf("format: licence of type %s lacks the claim %s", c.Type.ID, claim.Path)
		}
		if claim.Selective {
			selective = append(selective, claim.Path)
			if !present {
				absent++
			}
		}
	}
	claims := maps.Clone(c.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	for name := range claims {
		if !described[name] {
			return Laid{}, fmt.Errorf("format: type %s does not describe the claim %s", c.Type.ID, name)
		}
	}
	claims["iss"] = c.Issuer
	claims["vct"] = c.Type.VCT
	claims["vct#integrity"] = c.Type.VCTIntegrity
	claims["iat"] = c.Issued.Unix()
	claims["exp"] = c.Expires.Unix()
	claims["status"] = map[string]any{"status_list": map[string]any{"idx": copy.Status.Index, "uri": copy.Status.URI}}
	laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: selective, AbsentOK: true, Holder: &copy.Holder,
		Salts: copy.Random,
		// As many digests whatever the licence has: their number must not tell which optional claims exist.
		Decoys: absent})
	if err != nil {
		return Laid{}, fmt.Errorf("format: laying out: %w", err)
	}
	return Laid{Payload: laid.Payload, sign: func(key jose.SigningKey, chain [][]byte) (string, error) { return sdjwt.Issue(key, chain, laid) }}, nil
}
