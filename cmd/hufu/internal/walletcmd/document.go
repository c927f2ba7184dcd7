package walletcmd

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/cwt"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// document is a credential in one of the two formats.
type document interface {
	// claims are the names of what can be shown or withheld; always of what every verifier sees. Both are sorted.
	claims() []string
	always() []string
	// expires is zero when it doesn't say.
	expires() time.Time
	// present shows the named claims; names that are always shown may be among them.
	present(c wallet.Credential, audience, nonce string, show []string) (string, error)
}

func open(c wallet.Credential) (document, error) {
	if c.Format == wallet.FormatMDoc {
		p, err := c.MDoc()
		return mdocDocument{p}, err
	}
	p, err := sdjwt.Parse(c.Text)
	return sdjwtDocument{p}, err
}

// names says whether what a person typed names a claim: the claim itself, what lies above it, or an mdoc's element without its namespace.
func names(typed, claim string) bool {
	return claim == typed || strings.HasPrefix(claim, typed+".") || strings.HasSuffix(claim, "/"+typed)
}

func named(show []string, claim string) bool {
	return slices.ContainsFunc(show, func(typed string) bool { return names(typed, claim) })
}

type sdjwtDocument struct{ sdjwt.Parsed }

func (d sdjwtDocument) claims() []string {
	var out []string
	for _, path := range d.Disclosed() {
		out = append(out, path.String())
	}
	slices.Sort(out)
	return out
}

// technical are claims that speak of the credential, not of the licence.
var technical = []string{"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "sub", "jti"}

func (d sdjwtDocument) always() []string {
	var out []string
	selective := d.claims()
	for name := range d.UnverifiedClaims() {
		if !slices.Contains(technical, name) && !slices.ContainsFunc(selective, func(c string) bool { return names(name, c) }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (d sdjwtDocument) expires() time.Time {
	n, _ := d.UnverifiedClaims()["exp"].(json.Number)
	s, err := n.Int64()
	if err != nil {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

func (d sdjwtDocument) present(c wallet.Credential, audience, nonce string, show []string) (string, error) {
	var paths []sdjwt.Path
	for _, path := range d.Disclosed() {
		if named(show, path.String()) {
			paths = append(paths, path)
		}
	}
	return c.PresentOnly(audience, nonce, time.Now(), paths...)
}

// mdocDocument names elements as namespace/element.
type mdocDocument struct{ mdoc.Parsed }

func (d mdocDocument) claims() []string {
	var out []string
	for space, elements := range d.UnverifiedElements() {
		for id := range elements {
			out = append(out, space+"/"+id)
		}
	}
	slices.Sort(out)
	return out
}

func (d mdocDocument) always() []string { return nil }

func (d mdocDocument) expires() time.Time {
	inner, err := cwt.ParseEncoded(d.MSO())
	var mso struct {
		Validity map[string]cwt.Raw `cbor:"validityInfo"`
	}
	if err != nil || cwt.Unmarshal(inner, &mso) != nil {
		return time.Time{}
	}
	_, content, err := cwt.ParseTag(mso.Validity["validUntil"])
	var text string
	if err != nil || cwt.Unmarshal(content, &text) != nil {
		return time.Time{}
	}
	at, _ := time.Parse(time.RFC3339, text)
	return at
}

func (d mdocDocument) present(c wallet.Credential, audience, nonce string, show []string) (string, error) {
	var out []mdoc.Show
	for _, s := range d.ShowAll() {
		s.Elements = slices.DeleteFunc(s.Elements, func(id string) bool { return !named(show, s.NameSpace+"/"+id) })
		if len(s.Elements) > 0 {
			out = append(out, s)
		}
	}
	return c.PresentMDoc(audience, nonce, out...)
}
