package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// typeMetadata is SD-JWT VC type metadata (section 6 of the specification), with what it extends merged in.
type typeMetadata struct {
	integrity string
	names     map[string]string
	claims    []claimMetadata
	labels    map[string]map[string]string // of top-level claims
	err       error
}

type claimMetadata struct {
	path      sdjwt.Path
	mandatory bool
	sd        string // always, allowed, never
	labels    map[string]string
}

type metadataDocument struct {
	VCT              string         `json:"vct"`
	Extends          string         `json:"extends"`
	ExtendsIntegrity string         `json:"extends#integrity"`
	Display          []displayEntry `json:"display"`
	Claims           []struct {
		Path      sdjwt.Path     `json:"path"`
		Display   []displayEntry `json:"display"`
		Mandatory bool           `json:"mandatory"`
		SD        string         `json:"sd"`
	} `json:"claims"`
}

// displayEntry takes both spellings of the language: drafts up to -13 say lang, later ones locale.
type displayEntry struct {
	Lang   string `json:"lang"`
	Locale string `json:"locale"`
	Name   string `json:"name"`
	Label  string `json:"label"`
}

var (
	errTypeMissing = errors.New("the bundle doesn't have it")
	errTypeBroken  = errors.New("it can't be used")
)

// maxExtends bounds the chain of extends, which also ends loops.
const maxExtends = 8

// typeOf reads or remembers the metadata of a type.
func (v *Verifier) typeOf(vct string) *typeMetadata {
	if _, present := v.contents.Types[vct]; !present {
		return &typeMetadata{err: errTypeMissing}
	}
	v.mu.Lock()
	m := v.types[vct]
	v.mu.Unlock()
	if m == nil {
		m = &typeMetadata{names: map[string]string{}, labels: map[string]map[string]string{}}
		m.err = v.loadType(m, vct, "", maxExtends)
		v.mu.Lock()
		v.types[vct] = m
		v.mu.Unlock()
	}
	return m
}

// loadType reads one document and those that it extends into m; nearer documents win.
func (v *Verifier) loadType(m *typeMetadata, vct, integrity string, left int) error {
	t, present := v.contents.Types[vct]
	if !present {
		return errTypeMissing
	}
	sum := sha256.Sum256(t.Raw)
	actual := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	if integrity != "" && integrity != actual || left == 0 {
		return errTypeBroken
	}
	if m.integrity == "" {
		m.integrity = actual
	}
	var doc metadataDocument
	if err := jose.DecodeStrict(t.Raw, &doc); err != nil || doc.VCT != vct {
		return errTypeBroken
	}
	addLabels(m.names, doc.Display, func(d displayEntry) string { return d.Name })
	for _, c := range doc.Claims {
		if len(c.Path) == 0 || m.knows(c.Path) {
			continue
		}
		if c.SD == "" {
			c.SD = "allowed"
		}
		claim := claimMetadata{path: c.Path, mandatory: c.Mandatory, sd: c.SD, labels: map[string]string{}}
		addLabels(claim.labels, c.Display, func(d displayEntry) string { return d.Label })
		m.claims = append(m.claims, claim)
		if name, ok := c.Path[0].(string); ok && len(c.Path) == 1 {
			m.labels[name] = claim.labels
		}
	}
	if doc.Extends == "" {
		return nil
	}
	return v.loadType(m, doc.Extends, doc.ExtendsIntegrity, left-1)
}

func (m *typeMetadata) knows(p sdjwt.Path) bool {
	for _, c := range m.claims {
		if c.path.Matches(p) {
			return true
		}
	}
	return false
}

// addLabels adds the text of each language that has none yet. Languages are cut to their first part: "zh-Hans" is zh.
func addLabels(to map[string]string, from []displayEntry, text func(displayEntry) string) {
	for _, d := range from {
		lang, _, _ := strings.Cut(strings.ToLower(d.Locale+d.Lang), "-")
		if s := text(d); s != "" && to[lang] == "" {
			to[lang] = s
		}
	}
}

// checkType judges the credential by its type's rules.
func (r *run) checkType() Check {
	if r.v.contents == nil {
		return unknown(report.ReasonNoBundle, "type metadata is in the bundle")
	}
	if r.mdoc != nil && r.issuer == nil {
		return unknown(report.ReasonNotChecked, "which type this document is of isn't known")
	}
	m := r.v.typeOf(r.vct)
	asOf := r.v.contents.AsOf
	if m.err != nil {
		reason := report.ReasonTypeBroken
		if errors.Is(m.err, errTypeMissing) {
			reason = report.ReasonTypeUnknown
		}
		return unknown(reason, "type metadata: "+m.err.Error()).AsAt(asOf)
	}
	if pinned, ok := r.claims["vct#integrity"].(string); ok && !integrityMatches(pinned, m.integrity) {
		return fail(report.ReasonTypeMismatch, "the credential was made for another version of its type's description").AsAt(asOf)
	}
	r.meta = m
	if r.mdoc != nil { // its form was checked with its digests; the metadata's rules are about SD-JWT
		return pass("a document of this type").AsAt(asOf)
	}
	disclosed := r.parsed.Disclosed()
	for _, c := range m.claims {
		selective := false
		for _, d := range disclosed {
			selective = selective || c.path.Matches(d)
		}
		present := c.path.Lookup(r.claims)
		switch {
		case c.sd == "never" && selective:
			return fail(report.ReasonTypeRules, fmt.Sprintf("%s must be open to everyone and isn't", c.path)).AsAt(asOf)
		case c.sd == "never" && c.mandatory && !present:
			return fail(report.ReasonTypeRules, fmt.Sprintf("%s is required and missing", c.path)).AsAt(asOf)
		case c.sd == "always" && present && !selective:
			return fail(report.ReasonTypeRules, fmt.Sprintf("%s must be the holder's choice and isn't", c.path)).AsAt(asOf)
		}
	}
	return pass("follows the rules of its type").AsAt(asOf)
}

// integrityMatches compares a W3C integrity string, which may hold several hashes, of which the strongest counts; we
// know SHA-256 and demand it.
func integrityMatches(pinned, actual string) bool {
	for _, one := range strings.Fields(pinned) {
		if one == actual {
			return true
		}
	}
	return false
}

// hiddenClaims lists what the type knows and the holder didn't show. Nothing is hidden when no digest is left over.
func (r *run) hiddenClaims() []report.Hidden {
	if r.mdoc != nil {
		return r.mdoc.hidden()
	}
	if r.meta == nil || r.parsed.Hidden() == 0 {
		return nil
	}
	var out []report.Hidden
	var outer []sdjwt.Path
next:
	for _, c := range r.meta.claims {
		if c.sd == "never" || c.path.Lookup(r.claims) {
			continue
		}
		for _, o := range outer { // its outer claim is hidden already
			if len(o) < len(c.path) && o.Matches(c.path[:len(o)]) {
				continue next
			}
		}
		outer = append(outer, c.path)
		out = append(out, report.Hidden{Path: c.path.String(), Labels: c.labels})
	}
	return out
}
