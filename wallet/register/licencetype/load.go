package licencetype

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/gb"
)

//go:embed types/*/*.json types/*/*/*.svg
var typeFiles embed.FS

// The claim names that SD-JWT VC and SD-JWT keep for themselves.
var reservedClaims = []string{"iss", "sub", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "_sd", "_sd_alg", "..."}

// Load returns every version of every type, with its metadata for vct URLs below base, in order of ID and, within it, of version.
func Load(base string) ([]Type, error) {
	names, err := fs.Glob(typeFiles, "types/*/*.json")
	if err != nil {
		return nil, err
	}
	var out []Type
	for _, name := range names {
		b, err := fs.ReadFile(typeFiles, name)
		if err != nil {
			return nil, err
		}
		t, err := parseType(b, base)
		if err != nil {
			return nil, fmt.Errorf("licencetype: %s: %w", name, err)
		}
		if name != strings.TrimPrefix(t.Path(), "/")+".json" {
			return nil, fmt.Errorf("licencetype: %s says that it is %s", name, t.Path())
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Type) int { return cmp.Or(strings.Compare(a.ID, b.ID), a.Version-b.Version) })
	return out, nil
}

// Newest returns the newest version of each type, in order of ID, of what Load returned.
func Newest(all []Type) []Type {
	var out []Type
	for i, t := range all {
		if i == len(all)-1 || all[i+1].ID != t.ID {
			out = append(out, t)
		}
	}
	return out
}

func parseType(b []byte, base string) (Type, error) {
	var t Type
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return t, err
	}
	if err := t.check(); err != nil {
		return t, err
	}
	t.VCT = base + t.Path()
	err := t.readTemplates()
	if err != nil {
		return t, err
	}
	if t.Metadata, err = t.metadata(); err != nil {
		return t, err
	}
	t.Integrity = Integrity(t.Metadata)
	return t, nil
}

// Integrity is the subresource integrity of a document: standard base64, not base64url. SD-JWT VC -13, section 7.
func Integrity(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Path is the type's path below the type base URL.
func (t Type) Path() string { return "/types/" + t.ID + "/" + strconv.Itoa(t.Version) }

// check finds mistakes of whoever wrote the type file.
func (t Type) check() error {
	if t.ID == "" || t.Version < 1 || t.CredentialDays < 1 || t.RequiredACR == "" || len(t.HolderCodes) == 0 {
		return errors.New("id, version, credential_days, required_acr and holder_codes are required")
	}
	if _, err := gb.NewLicenceID(t.TypeCode, t.TypeCode[:min(18, len(t.TypeCode))], "1", 1); err != nil {
		return fmt.Errorf("type_code: %w", err)
	}
	for i, f := range t.Fields {
		if !slices.Contains([]string{"text", "date", "enum", "list", "image"}, f.Kind) {
			return fmt.Errorf("field %s has the unknown kind %q", f.Name, f.Kind)
		}
		if f.Pattern == "" {
			continue
		}
		form, err := regexp.Compile(`^(?:` + f.Pattern + `)$`)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		t.Fields[i].form = form
	}
	seen := map[string]bool{}
	for _, c := range t.Claims {
		if slices.Contains(reservedClaims, c.Name) || seen[c.Name] {
			return fmt.Errorf("claim %s is reserved or there twice", c.Name)
		}
		seen[c.Name] = true
		field, isField := strings.CutPrefix(c.Source, "fields.")
		i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == field })
		switch {
		case isField && i < 0, !isField && !slices.Contains(OwnSources, c.Source):
			return fmt.Errorf("claim %s has the unknown source %q", c.Name, c.Source)
		case c.Source == "representative.name" && t.Representative == "":
			return fmt.Errorf("claim %s is about a representative, who is in no record", c.Name)
		case c.Mandatory && c.Source != "licence.valid_to" && !t.always(c.Source):
			return fmt.Errorf("claim %s is mandatory, its field isn't required", c.Name)
		}
	}
	if err := t.checkMDoc(); err != nil {
		return err
	}
	if err := t.checkCard(); err != nil {
		return err
	}
	return t.checkPresets()
}

// presetForm is what stands in a purpose's address. "chosen" is what the holder picks claim by claim.
var presetForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

func (t Type) checkPresets() error {
	seen := map[string]bool{"chosen": true}
	for _, p := range t.Presets {
		switch {
		case !presetForm.MatchString(p.ID) || seen[p.ID]:
			return fmt.Errorf("preset %q is no name, or is reserved or there twice", p.ID)
		case p.Name["zh"] == "" || p.Name["en"] == "" || len(p.Claims) == 0:
			return fmt.Errorf("preset %s needs a name in zh and en, and claims", p.ID)
		}
		seen[p.ID] = true
		for i, name := range p.Claims {
			if !slices.ContainsFunc(t.Claims, func(c Claim) bool { return c.Name == name }) || slices.Contains(p.Claims[:i], name) {
				return fmt.Errorf("preset %s: claim %s is unknown or there twice", p.ID, name)
			}
		}
	}
	return nil
}

// OwnSources are the claim sources beside "fields.<name>".
var OwnSources = []string{"licence.id", "licence.valid_from", "licence.valid_to", "holder.name", "holder.code", "representative.name"}

// Values is where the claims of a credential come from: a licence.
type Values interface {
	// Value returns what a claim source stands for, or nil if the licence doesn't have it.
	Value(source string) any
}

// ClaimsOf returns the claims of a credential for a licence, by name. What the licence doesn't have is left out. An image is a data URL.
func (t Type) ClaimsOf(l Values) map[string]any {
	out := make(map[string]any, len(t.Claims))
	for _, c := range t.Claims {
		v := l.Value(c.Source)
		if v == nil {
			continue
		}
		if text, ok := v.(string); ok && t.kind(c.Source) == "image" {
			v = dataURL(text)
		}
		out[c.Name] = v
	}
	return out
}

// Serves says whether a licence has what every credential of this version must have. One that was registered under an older version may lack
// it: then it must be renewed first.
func (t Type) Serves(l Values) bool {
	return !slices.ContainsFunc(t.Claims, func(c Claim) bool { return c.Mandatory && l.Value(c.Source) == nil })
}

// kind is the kind of the field that a source names; "" for the other sources.
func (t Type) kind(source string) string {
	name, _ := strings.CutPrefix(source, "fields.")
	for _, f := range t.Fields {
		if f.Name == name && source != name {
			return f.Kind
		}
	}
	return ""
}

// SelectivelyDisclosable returns the names of the claims that the holder may keep back.
func (t Type) SelectivelyDisclosable() []string {
	var out []string
	for _, c := range t.Claims {
		if c.SelectivelyDisclosable {
			out = append(out, c.Name)
		}
	}
	return out
}
