package token

import (
	"time"

	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/grant"
)

// Renewal is how long a wallet that took an offer may renew its credentials without a new one.
type Renewal struct {
	// Idle is how long after the last use; not less than credentials live, or a wallet that renews them at their end comes too late.
	Idle time.Duration
	// Max is how long after the offer, whatever was used. Issuers keep redeemed offers for MaxRenewal.
	Max time.Duration
}

// DefaultRenewal is for licence types whose credentials live for up to 90 days. MaxRenewal is the longest Max.
var DefaultRenewal = Renewal{Idle: 90 * 24 * time.Hour, Max: MaxRenewal}

// MaxRenewal bounds Renewal.Max: once a year somebody who knows the person looks at her licence.
const MaxRenewal = 365 * 24 * time.Hour

// renewable gives the grant of an offer its refresh token, if the wallet may have one (OpenID4VCI 1.0, section 13.5; RFC 6749 section 6).
//
// It must be registered for it. Nobody in particular gets none, not even with a DPoP key: an offer is for one wallet now, a refresh token for a
// year, and there would be no registration to disable, nobody who may revoke it (RFC 7009), and nobody to ask when keys leak. Such a wallet
// takes a new offer. A public client proves nothing but its key, so there must be one (RFC 9700 section 4.14.2).
//
// Whether the licence is in force, and its holder may have it, the credential endpoint asks each time.
func (h *Handler) renewable(g grant.Grant, req request) grant.Grant {
	c, left := req.who.Client(), g
	if !c.Has(client.RefreshToken) || c.Public && req.refreshKey() == "" {
		return g
	}
	if scopes := h.still(&left, c); len(scopes) == 0 && len(left.Details) == 0 {
		return g // it could never be used
	}
	g.RefreshIdle, g.RefreshEnds = h.cfg.Renewal.Idle, req.at.Add(h.cfg.Renewal.Max)
	g.RefreshAt, g.RefreshExpires, g.RefreshKey = req.at, g.RefreshEnd(req.at), req.refreshKey()
	return g
}
