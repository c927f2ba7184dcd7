// Package issuing is the credential issuer's part of a node: its configuration, and licence types and licences in the shape that it wants.
package issuing

import (
	"crypto/x509"
	"slices"
	"sort"
	"time"

	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/issuer/attest"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Config says how credentials are issued.
type Config struct {
	// BatchSize is how many copies one request gives at most. Default 10; 1 for no batches.
	BatchSize int `yaml:"batch_size"`
	// KeyAttestations says, by licence type, which keys are good enough. A type that isn't here takes any key. Who attests keys: openid.wallets[].key_anchors_file.
	KeyAttestations map[string]Attested `yaml:"key_attestations"`
	// EncryptRequests requires encrypted requests, EncryptResponses that encrypted responses are asked for.
	EncryptRequests  bool `yaml:"encrypt_requests"`
	EncryptResponses bool `yaml:"encrypt_responses"`
	// SupersedeAfter is how long older copies of a licence on one device stay good after new ones were made. Default 24h; negative: until they expire.
	SupersedeAfter time.Duration `yaml:"supersede_after"`
	// DeferInterval is after how long a wallet should ask again for what an authority has yet to release. Default 5m.
	DeferInterval time.Duration `yaml:"defer_interval"`
}

// Attested are levels of resistance, such as iso_18045_high; an empty list accepts all (OpenID4VCI 1.0, appendix D.2).
type Attested struct {
	KeyStorage         []string `yaml:"key_storage"`
	UserAuthentication []string `yaml:"user_authentication"`
}

// Check reports what is wrong by bad.
func (c Config) Check(bad func(format string, args ...any)) {
	if c.BatchSize < 0 || c.BatchSize > 100 {
		bad("issuing: batch_size: %d is not from 1 to 100", c.BatchSize)
	}
}

// Policy is the issuer's policy; makers are the anchors of those who attest wallets' keys. Without any, key attestations are neither offered nor looked at.
func (c Config) Policy(makers []*x509.Certificate) issuer.Policy {
	return issuer.Policy{BatchSize: c.BatchSize, Makers: makers, SupersedeAfter: c.SupersedeAfter, DeferInterval: c.DeferInterval,
		EncryptRequests: c.EncryptRequests, EncryptResponses: c.EncryptResponses}
}

// Displays are names by language, the Chinese one first: the credential's own language.
func Displays(text map[string]string) []issuer.Display {
	langs := make([]string, 0, len(text))
	for lang := range text {
		langs = append(langs, lang)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(langs)))
	var out []issuer.Display
	for _, lang := range langs {
		locale := lang
		if lang == "zh" {
			locale = "zh-Hans"
		}
		out = append(out, issuer.Display{Locale: locale, Name: text[lang]})
	}
	return out
}

// Type is a licence type as a credential type.
func (c Config) Type(t register.LicenceType) issuer.CredentialType {
	out := issuer.CredentialType{ID: t.ID, VCT: t.VCT, VCTIntegrity: t.Integrity, Display: Displays(t.Name), RequiredACR: t.RequiredACR, Lifetime: t.CredentialLife()}
	texts := map[string]map[string]string{} // by source: an element of a mobile document is named as the claim of the same source
	for _, cl := range t.Claims {
		out.Claims = append(out.Claims, issuer.Claim{Path: sdjwt.P(cl.Name), Mandatory: cl.Mandatory, Selective: cl.SelectivelyDisclosable, Display: Displays(cl.Text)})
		texts[cl.Source] = cl.Text
	}
	if t.MDoc != nil {
		out.MDoc = &issuer.MDocForm{DocType: t.MDoc.DocType}
		for _, e := range t.MDoc.Elements {
			out.MDoc.Elements = append(out.MDoc.Elements, issuer.ElementForm{NameSpace: e.Namespace, ID: e.Name, Mandatory: !e.Optional, Display: Displays(texts[e.Source])})
		}
	}
	for _, tm := range t.Templates {
		if tm.ColorScheme == "light" {
			out.Images = append(out.Images, issuer.Image{URI: t.VCT + "/" + tm.Name, AltText: t.Name["en"]})
		}
	}
	if a, ok := c.KeyAttestations[t.ID]; ok {
		out.Attested = &attest.Levels{KeyStorage: slices.Clone(a.KeyStorage), UserAuthentication: slices.Clone(a.UserAuthentication)}
	}
	return out
}

// NameSpaces are the data elements of a licence; nil when it has no such form.
func NameSpaces(t register.LicenceType, l register.Licence) []issuer.NameSpace {
	elements, ok := t.Elements(l)
	if !ok {
		return nil
	}
	var out []issuer.NameSpace
	for _, ns := range elements {
		n := issuer.NameSpace{Name: ns.Name}
		for _, e := range ns.Elements {
			n.Elements = append(n.Elements, mdoc.Element{ID: e.ID, Value: value(e.Value)})
		}
		out = append(out, n)
	}
	return out
}

// value gives days the type that an mdoc has for them, wherever they stand.
func value(v any) any {
	switch v := v.(type) {
	case licencetype.Date:
		return mdoc.FullDate(v)
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = value(v[n])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = value(v[name])
		}
		return out
	}
	return v
}
