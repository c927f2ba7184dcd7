// Package credential is how a wallet says by authorization_details which credentials it wants (OpenID4VCI 1.0, sections 5.1.1 and 6.2), and how a
// grant remembers what it was given.
//
// The provider knows no credentials: what a configuration is, and which credentials somebody may get, it asks the credential issuers (Catalogue).
// In a grant an element stands as the token endpoint answers it, with its credential_identifiers.
package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/web"
)

// Type is the type of authorization_details for credentials.
const Type = "openid_credential"

// Limits of authorization_details: they are shown to a person, and kept in the browser until the code.
const (
	maxBytes  = 4 << 10
	maxList   = 5
	maxPlaces = 10 // locations of one element
)

// Errors. Both are answered as invalid_authorization_details.
var (
	// ErrList: no JSON array of one to five objects, or too long.
	ErrList = errors.New("credential: authorization_details must be a JSON array of one to five objects, 4 KiB at most")
	// ErrDetail: an element that can't be granted.
	ErrDetail = errors.New("credential: authorization detail")
)

// Configuration is a credential configuration, as far as the provider must know it.
type Configuration struct {
	// ID is the credential_configuration_id, Scope the scope that asks for the same.
	ID, Scope string
	// Issuers are the Credential Issuer Identifiers that offer it.
	Issuers []string
	// Title names the credential on the consent page.
	Title web.Text
}

// Holder is on whose behalf credentials are asked for: a person who logged in, or whoever redeemed an offer.
type Holder struct {
	PersonID, ACR string
	OfferID       string
	// IssuerState is that of the authorization request.
	IssuerState string
}

// Catalogue is what the credential issuers know. Safe for concurrent use.
type Catalogue interface {
	// Configuration finds a credential configuration; false when no issuer has it.
	Configuration(id string) (Configuration, bool)
	// Identifiers names the credentials of a configuration that the holder may get from the issuers: one for each licence, up to 200 printable
	// ASCII characters, the same as long as the licence is. None is an empty list. It joins the transaction in ctx.
	Identifiers(ctx context.Context, h Holder, configurationID string, issuers []string) ([]string, error)
}

// Detail is an element of type openid_credential. Members that we don't know are dropped: the type is never invalid because of them
// (OpenID4VCI 1.0, section 5.1.1).
type Detail struct {
	Type            string   `json:"type"`
	ConfigurationID string   `json:"credential_configuration_id"`
	Locations       []string `json:"locations,omitempty"`
	// Identifiers are the credential_identifiers, in a grant only.
	Identifiers []string `json:"credential_identifiers,omitempty"`
}

// Issuers are the credential issuers at which the element counts: those of its locations, else all that offer the configuration.
func (d Detail) Issuers(c Configuration) []string {
	if len(d.Locations) > 0 {
		return d.Locations
	}
	return c.Issuers
}

// List reads the parameter authorization_details. ErrList.
func List(raw string) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if len(raw) > maxBytes || strictjson.Decode([]byte(raw), &list) != nil || len(list) == 0 || len(list) > maxList {
		return nil, ErrList
	}
	return list, nil
}

// Is says whether an element is of our type.
func Is(raw json.RawMessage) bool {
	var d struct {
		Type string `json:"type"`
	}
	return strictjson.Decode(raw, &d) == nil && d.Type == Type
}

// Parse reads an element of our type and finds its configuration. ErrDetail for one that no issuer has, or not at all of the locations.
func Parse(raw json.RawMessage, catalogue Catalogue) (Detail, Configuration, error) {
	var d Detail
	if err := strictjson.Decode(raw, &d); err != nil {
		return d, Configuration{}, errors.Join(ErrDetail, err)
	}
	if d.Type != Type || catalogue == nil {
		return d, Configuration{}, fmt.Errorf("%w: type", ErrDetail)
	}
	c, ok := catalogue.Configuration(d.ConfigurationID)
	if !ok || d.ConfigurationID == "" {
		return d, c, fmt.Errorf("%w: credential_configuration_id", ErrDetail)
	}
	if len(d.Locations) > maxPlaces {
		return d, c, fmt.Errorf("%w: too many locations", ErrDetail)
	}
	for _, l := range d.Locations {
		if !slices.Contains(c.Issuers, l) {
			return d, c, fmt.Errorf("%w: locations", ErrDetail)
		}
	}
	d.Locations = slices.Compact(slices.Sorted(slices.Values(d.Locations)))
	d.Identifiers = nil // ours to say
	return d, c, nil
}

// Ask is Parse for a request: it returns the element as it is kept until somebody agrees. Two that ask for the same are the same bytes.
func Ask(raw json.RawMessage, catalogue Catalogue) (json.RawMessage, Configuration, error) {
	d, c, err := Parse(raw, catalogue)
	if err != nil {
		return nil, c, err
	}
	b, err := json.Marshal(d)
	return b, c, err
}

// Grant adds to what was agreed the identifiers of the credentials that the holder may get. An element for which she has none is left out;
// elements of other types stay as they are. It joins the transaction in ctx.
func Grant(ctx context.Context, catalogue Catalogue, h Holder, agreed []json.RawMessage) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for _, raw := range agreed {
		if !Is(raw) {
			out = append(out, raw)
			continue
		}
		d, c, err := Parse(raw, catalogue)
		if errors.Is(err, ErrDetail) {
			continue // an issuer stopped offering it since it was asked for
		}
		if d.Identifiers, err = catalogue.Identifiers(ctx, h, d.ConfigurationID, d.Issuers(c)); err != nil {
			return nil, err
		}
		if len(d.Identifiers) == 0 {
			continue
		}
		b, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// Granted lists the credentials among the details of a grant.
func Granted(details []json.RawMessage) []Detail {
	var out []Detail
	for _, raw := range details {
		var d Detail
		if Is(raw) && json.Unmarshal(raw, &d) == nil {
			out = append(out, d)
		}
	}
	return out
}

// Audience are the issuers at which the credentials among some details may be taken.
func Audience(details []json.RawMessage, catalogue Catalogue) []string {
	var out []string
	for _, d := range Granted(details) {
		if catalogue == nil {
			break
		}
		if c, ok := catalogue.Configuration(d.ConfigurationID); ok {
			out = append(out, d.Issuers(c)...)
		}
	}
	return out
}

// Allowed leaves out the credentials whose scope a client may not ask for (any more).
func Allowed(details []json.RawMessage, catalogue Catalogue, may func(scope string) bool) []json.RawMessage {
	return slices.DeleteFunc(slices.Clone(details), func(raw json.RawMessage) bool {
		if !Is(raw) {
			return false
		}
		_, c, err := Parse(raw, catalogue)
		return err != nil || !may(c.Scope)
	})
}
