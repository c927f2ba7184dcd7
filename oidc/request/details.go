package request

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/web"
)

// maxListed is how much one element may list: a person has to read it.
const maxListed = 10

// DetailType is a type of authorization_details that clients can ask for (RFC 9396). Every word that a person sees stands here and not in
// the request: what somebody agrees to must not be worded by who wants it.
type DetailType struct {
	// Title says what it allows, as the object of "may": "read your medical insurance account".
	Title web.Text
	// Actions and DataTypes are the allowed values of the members of that name, with their words. Locations are the allowed addresses.
	Actions, DataTypes map[string]web.Text
	Locations          []string
}

// Catalogue is every known type by name.
type Catalogue map[string]DetailType

// Detail is one checked element of authorization_details.
type Detail struct {
	Type       string   `json:"type"`
	Actions    []string `json:"actions,omitempty"`
	DataTypes  []string `json:"datatypes,omitempty"`
	Locations  []string `json:"locations,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
}

// errDetails: an element that the catalogue doesn't have.
var errDetails = errors.New("request: unknown authorization detail")

// Check reads one element and refuses every member and value that the catalogue has no words for.
func (c Catalogue) Check(raw json.RawMessage) (Detail, error) {
	var d Detail
	if err := strictjson.Decode(raw, &d); err != nil {
		return d, err
	}
	t, ok := c[d.Type]
	if !ok {
		return d, fmt.Errorf("%w: type", errDetails)
	}
	var members map[string]json.RawMessage
	if err := strictjson.Decode(raw, &members); err != nil {
		return d, err
	}
	for name := range members {
		if !slices.Contains([]string{"type", "actions", "datatypes", "locations", "identifier"}, name) {
			return d, fmt.Errorf("%w: member", errDetails)
		}
	}
	if len(d.Actions)+len(d.DataTypes)+len(d.Locations) > maxListed || len(d.Identifier) > 64 {
		return d, fmt.Errorf("%w: too much", errDetails)
	}
	for _, list := range []struct {
		values []string
		known  func(string) bool
	}{{d.Actions, has(t.Actions)}, {d.DataTypes, has(t.DataTypes)}, {d.Locations, func(s string) bool { return slices.Contains(t.Locations, s) }}} {
		for _, v := range list.values {
			if !list.known(v) {
				return d, fmt.Errorf("%w: value", errDetails)
			}
		}
	}
	return d, nil
}

func has(m map[string]web.Text) func(string) bool {
	return func(s string) bool { _, ok := m[s]; return ok }
}

// Words says what one element allows, for the consent page: the title, then what it is limited to.
func (c Catalogue) Words(raw json.RawMessage) web.Text {
	d, err := c.Check(raw)
	if err != nil {
		return web.Text{}
	}
	t := c[d.Type]
	var limits []web.Text
	for _, a := range d.Actions {
		limits = append(limits, t.Actions[a])
	}
	for _, dt := range d.DataTypes {
		limits = append(limits, t.DataTypes[dt])
	}
	for _, l := range d.Locations {
		limits = append(limits, web.Plain(l))
	}
	if d.Identifier != "" {
		limits = append(limits, web.Plain(d.Identifier))
	}
	out := t.Title
	for i, l := range limits {
		zh, en := "、", ", "
		if i == 0 {
			zh, en = "：", ": "
		}
		out.ZH, out.EN = out.ZH+zh+l.ZH, out.EN+en+l.EN
	}
	return out
}

// checkDetails takes the authorization_details that the client is registered for.
func (p *Parser) checkDetails(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	raw := v.Get("authorization_details")
	if raw == "" {
		return nil
	}
	list, err := credential.List(raw)
	if err != nil {
		return oauth.Because(oauth.InvalidDetails, "authorization_details must be a JSON array of one to five objects, 4 KiB at most", err)
	}
	for _, one := range list {
		if credential.Is(one) {
			if err := p.checkCredential(c, one, req); err != nil {
				return err
			}
			continue
		}
		d, err := p.Details.Check(one)
		if err != nil || !slices.Contains(c.DetailTypes, d.Type) {
			return oauth.Because(oauth.InvalidDetails, "authorization_details asks for a type or value that is unknown, or not registered for this client", err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, one); err != nil {
			return oauth.New(oauth.InvalidDetails, "authorization_details must be a JSON array of one to five objects, 4 KiB at most")
		}
		req.Details = append(req.Details, compact.Bytes())
	}
	return nil
}

// checkCredential takes an element that asks for a credential. Who may ask for its scope may ask so, too: the same person agrees to the same.
func (p *Parser) checkCredential(c client.Client, raw json.RawMessage, req *flow.Request) error {
	asked, configuration, err := credential.Ask(raw, p.Credentials)
	switch {
	case errors.Is(err, credential.ErrDetail):
		return oauth.Because(oauth.InvalidDetails, "authorization_details asks for a credential that is not offered here", err)
	case err != nil:
		return err
	case !c.MayAsk(configuration.Scope):
		return oauth.New(oauth.InvalidDetails, "the client may not ask for one of the credentials")
	}
	if !slices.ContainsFunc(req.Details, func(d json.RawMessage) bool { return bytes.Equal(d, asked) }) {
		req.Details = append(req.Details, asked)
	}
	return nil
}
