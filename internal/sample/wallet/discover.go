package wallet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet/metadata"
)

// What issuers say of themselves.
type (
	Issuer        = metadata.Issuer
	Configuration = metadata.Configuration
	AuthServer    = metadata.AuthServer
	Offer         = metadata.Offer
)

// Credential Format Identifiers (appendix A).
const (
	FormatSDJWT = metadata.FormatSDJWT
	FormatMDoc  = metadata.FormatMDoc
)

// wellKnown inserts a well-known path between host and path.
func wellKnown(id, name string) (string, error) {
	u, err := url.Parse(id)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%w: %q is no issuer identifier", ErrIssuer, id)
	}
	u.Path = "/.well-known/" + name + strings.TrimSuffix(u.Path, "/")
	return u.String(), nil
}

// Discover reads the metadata of a Credential Issuer and of its authorization server. Both must name themselves exactly as they
// were asked for.
func (w *Wallet) Discover(ctx context.Context, id string) (Issuer, error) {
	return w.DiscoverAt(ctx, id, "")
}

// DiscoverAt is Discover with the authorization server that an offer names; "" is the issuer's first.
func (w *Wallet) DiscoverAt(ctx context.Context, id, server string) (Issuer, error) {
	var i Issuer
	address, err := wellKnown(id, "openid-credential-issuer")
	if err != nil {
		return i, err
	}
	if err := w.get(ctx, address, &i); err != nil {
		return i, err
	}
	if i.ID != id {
		return i, fmt.Errorf("%w: metadata of %q says it is %q", ErrIssuer, id, i.ID)
	}
	servers := i.AuthServers
	if len(servers) == 0 {
		servers = []string{i.ID}
	}
	if server == "" {
		server = servers[0]
	}
	if !slices.Contains(servers, server) {
		return i, fmt.Errorf("%w: %q is not among its authorization servers", ErrIssuer, server)
	}
	if address, err = wellKnown(server, "oauth-authorization-server"); err != nil {
		return i, err
	}
	if err := w.get(ctx, address, &i.Server); err != nil {
		return i, err
	}
	if i.Server.Issuer != server {
		return i, fmt.Errorf("%w: metadata of %q says it is %q", ErrIssuer, server, i.Server.Issuer)
	}
	return i, nil
}

// keys reads the issuer's published keys (SD-JWT VC section 4).
func (w *Wallet) keys(ctx context.Context, id string) ([]jose.JWK, error) {
	address, err := wellKnown(id, "jwt-vc-issuer")
	if err != nil {
		return nil, err
	}
	var m struct {
		Issuer string          `json:"issuer"`
		JWKS   json.RawMessage `json:"jwks"`
	}
	if err := w.get(ctx, address, &m); err != nil {
		return nil, err
	}
	if m.Issuer != id {
		return nil, fmt.Errorf("%w: the keys of %q say they are of %q", ErrIssuer, id, m.Issuer)
	}
	keys, err := jose.ParseJWKS(m.JWKS)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	return keys, nil
}

// ReadOffer reads an offer from a link or a QR code (openid-credential-offer://...), by value or by reference.
func (w *Wallet) ReadOffer(ctx context.Context, link string) (Offer, error) {
	var o Offer
	u, err := url.Parse(link)
	if err != nil {
		return o, fmt.Errorf("%w: the offer is no link", ErrIssuer)
	}
	q := u.Query()
	value, reference := q.Get("credential_offer"), q.Get("credential_offer_uri")
	switch {
	case (value == "") == (reference == ""):
		return o, fmt.Errorf("%w: an offer has exactly one of credential_offer and credential_offer_uri", ErrIssuer)
	case value != "":
		err = jose.DecodeStrict([]byte(value), &o)
	default:
		err = w.get(ctx, reference, &o)
	}
	if err != nil {
		return o, err
	}
	if o.Issuer == "" || len(o.ConfigurationIDs) == 0 {
		return o, fmt.Errorf("%w: the offer names no issuer or no credential", ErrIssuer)
	}
	return o, nil
}
