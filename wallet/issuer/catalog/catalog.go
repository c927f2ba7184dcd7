// Package catalog says which authorities issue which credentials, checks that once, and keeps what is served about it as bytes.
package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Catalog is everything that does not depend on a request: made once, never changed, safe for concurrent use.
type Catalog struct {
	byCode     map[string]*Entry
	scopes     map[string]Scope
	scopeNames []string
}

// Entry is an Authority with what is served for it.
type Entry struct {
	Authority
	// Identifier is the Credential Issuer Identifier.
	Identifier     string
	metadata       issuerMetadata
	types          map[string]CredentialType
	configurations map[string]Configuration
}

// Configuration returns a credential configuration of the authority.
func (e *Entry) Configuration(id string) (Configuration, bool) {
	c, ok := e.configurations[id]
	return c, ok
}

// Type returns a type that the authority may issue.
func (e *Entry) Type(id string) (CredentialType, bool) {
	t, ok := e.types[id]
	return t, ok
}

// Entry returns an authority by its credit code.
func (c *Catalog) Entry(code string) (*Entry, bool) {
	e, ok := c.byCode[code]
	return e, ok
}

// Codes are the credit codes of all authorities, sorted.
func (c *Catalog) Codes() []string { return slices.Sorted(maps.Keys(c.byCode)) }

// Type returns a type that an authority may issue.
func (c *Catalog) Type(code, id string) (CredentialType, bool) {
	e, ok := c.byCode[code]
	if !ok {
		return CredentialType{}, false
	}
	return e.Type(id)
}

// Configuration returns a credential configuration that at least one authority offers, and the Credential Issuer Identifiers of all that do, sorted.
func (c *Catalog) Configuration(id string) (Configuration, []string, bool) {
	var found Configuration
	var issuers []string
	for _, e := range c.byCode {
		if conf, ok := e.configurations[id]; ok {
			found, issuers = conf, append(issuers, e.Identifier)
		}
	}
	slices.Sort(issuers)
	return found, issuers, len(issuers) > 0
}

// Scope returns what an OAuth scope stands for.
func (c *Catalog) Scope(name string) (Scope, bool) {
	s, ok := c.scopes[name]
	return s, ok
}

// Scopes are the names of all scopes, sorted.
func (c *Catalog) Scopes() []string { return c.scopeNames }

// Identifier is the Credential Issuer Identifier of an authority.
func Identifier(origin, code string) string { return origin + "/i/" + code }

// New checks the authorities and makes everything that is served about them.
func New(origin string, list []Authority, offers Offers) (*Catalog, error) {
	d := &Catalog{byCode: map[string]*Entry{}, scopes: map[string]Scope{}}
	for _, in := range list {
		if in.Code == "" || strings.ContainsAny(in.Code, "/?#% ") {
			return nil, fmt.Errorf("catalog: authority code %q can't stand in a URL", in.Code)
		}
		if d.byCode[in.Code] != nil {
			return nil, fmt.Errorf("catalog: authority %s is listed twice", in.Code)
		}
		a := &Entry{Authority: in, Identifier: Identifier(origin, in.Code), types: map[string]CredentialType{}, configurations: map[string]Configuration{}}
		for _, t := range in.Types {
			if err := t.check(); err != nil {
				return nil, err
			}
			a.types[t.ID] = t
			for _, conf := range t.Configurations() {
				if _, taken := a.configurations[conf.ID]; taken {
					return nil, fmt.Errorf("catalog: authority %s has the configuration %s twice", in.Code, conf.ID)
				}
				a.configurations[conf.ID] = conf
			}
			d.addScope(t, a.Identifier)
		}
		a.metadata = metadata(origin, a, offers)
		d.byCode[in.Code] = a
	}
	for name, s := range d.scopes {
		slices.Sort(s.Audience)
		d.scopeNames = append(d.scopeNames, name)
	}
	slices.Sort(d.scopeNames)
	return d, nil
}

func (d *Catalog) addScope(t CredentialType, audience string) {
	s := d.scopes[t.ID]
	s.Display = t.Display
	s.Audience = append(s.Audience, audience)
	if s.RequiredACR == "" || !LevelEnough(s.RequiredACR, t.RequiredACR) {
		s.RequiredACR = t.RequiredACR
	}
	d.scopes[t.ID] = s
}

// reserved are the members of an SD-JWT VC that the issuer itself sets; a licence field of that name would replace them.
var reserved = []string{"iss", "iat", "exp", "nbf", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "sub", "_sd", "_sd_alg", "..."}

func (t CredentialType) check() error {
	if t.ID == "" || t.VCT == "" || t.VCTIntegrity == "" {
		return fmt.Errorf("catalog: credential type %q needs an id, a vct and its integrity", t.ID)
	}
	if strings.ContainsAny(t.ID, " \"\\") {
		return fmt.Errorf("catalog: credential type %q can't be an OAuth scope", t.ID)
	}
	if t.RequiredACR != "" && level(t.RequiredACR) == 0 {
		return fmt.Errorf("catalog: credential type %s: unknown level %q", t.ID, t.RequiredACR)
	}
	for _, c := range t.Claims {
		name, ok := "", false
		if len(c.Path) > 0 {
			name, ok = c.Path[0].(string)
		}
		if !ok || slices.Contains(reserved, name) {
			return fmt.Errorf("catalog: credential type %s: claim path %v is not allowed", t.ID, c.Path)
		}
	}
	return nil
}
