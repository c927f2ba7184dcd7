package issuer

import (
	"fmt"
	"slices"
	"strings"
)

// directory is everything that does not depend on a request: made once, never changed.
type directory struct {
	byCode     map[string]*authority
	scopes     map[string]Scope
	scopeNames []string
}

// authority is an Authority with what is served for it.
type authority struct {
	Authority
	identifier string
	types      map[string]CredentialType
	metadata   document
}

// credentialType returns a type that the authority may issue.
func (d *directory) credentialType(code, typeID string) (CredentialType, bool) {
	a, ok := d.byCode[code]
	if !ok {
		return CredentialType{}, false
	}
	t, ok := a.types[typeID]
	return t, ok
}

func newDirectory(origin string, list []Authority) (*directory, error) {
	d := &directory{byCode: map[string]*authority{}, scopes: map[string]Scope{}}
	for _, in := range list {
		if in.Code == "" || strings.ContainsAny(in.Code, "/?#% ") {
			return nil, fmt.Errorf("issuer: authority code %q can't stand in a URL", in.Code)
		}
		if d.byCode[in.Code] != nil {
			return nil, fmt.Errorf("issuer: authority %s is listed twice", in.Code)
		}
		a := &authority{Authority: in, identifier: identifier(origin, in.Code), types: map[string]CredentialType{}}
		for _, t := range in.Types {
			if err := t.check(); err != nil {
				return nil, err
			}
			a.types[t.ID] = t
			d.addScope(t, a.identifier)
		}
		doc, err := metadataDocument(origin, a)
		if err != nil {
			return nil, err
		}
		a.metadata = doc
		d.byCode[in.Code] = a
	}
	for name, s := range d.scopes {
		slices.Sort(s.Audience)
		d.scopeNames = append(d.scopeNames, name)
	}
	slices.Sort(d.scopeNames)
	return d, nil
}

func (d *directory) addScope(t CredentialType, audience string) {
	s := d.scopes[t.ID]
	s.Display = t.Display
	s.Audience = append(s.Audience, audience)
	if s.RequiredACR == "" || !levelEnough(s.RequiredACR, t.RequiredACR) {
		s.RequiredACR = t.RequiredACR
	}
	d.scopes[t.ID] = s
}

// reserved are the members of an SD-JWT VC that the issuer itself sets; a licence field of that name would replace them.
var reserved = []string{"iss", "iat", "exp", "nbf", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "sub", "_sd", "_sd_alg", "..."}

func (t CredentialType) check() error {
	if t.ID == "" || t.VCT == "" || t.VCTIntegrity == "" {
		return fmt.Errorf("issuer: credential type %q needs an id, a vct and its integrity", t.ID)
	}
	if strings.ContainsAny(t.ID, " \"\\") {
		return fmt.Errorf("issuer: credential type %q can't be an OAuth scope", t.ID)
	}
	if t.RequiredACR != "" && level(t.RequiredACR) == 0 {
		return fmt.Errorf("issuer: credential type %s: unknown level %q", t.ID, t.RequiredACR)
	}
	for _, c := range t.Claims {
		name, ok := "", false
		if len(c.Path) > 0 {
			name, ok = c.Path[0].(string)
		}
		if !ok || slices.Contains(reserved, name) {
			return fmt.Errorf("issuer: credential type %s: claim path %v is not allowed", t.ID, c.Path)
		}
	}
	return nil
}
