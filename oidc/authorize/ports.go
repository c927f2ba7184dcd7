package authorize

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Login is a person who has just proved herself at a province.
type Login struct {
	PersonID string
	Province string
	ACR      string // "loa1".."loa4", already under the province's ceiling
	AMR      []string
	AuthTime time.Time
}

// Consent is what a person last agreed with one client.
type Consent struct {
	PersonID, ClientID string
	// Asked is everything that was on the page, Agreed what was allowed: claims by name, credentials as "scope:<scope>".
	Asked, Agreed []string
	// Standing: don't ask again for the same things. Otherwise the row only says when it was and what is new.
	Standing bool
	At       time.Time
}

// ErrNoConsent: the person never agreed with this client.
var ErrNoConsent = errors.New("authorize: no consent")

// ConsentStore keeps consents. Every method joins the transaction in ctx.
type ConsentStore interface {
	// PutConsent replaces what is kept for (person, client), with the audit event.
	PutConsent(ctx context.Context, c Consent, ev audit.Event) error
	// Consent reads it. ErrNoConsent.
	Consent(ctx context.Context, personID, clientID string) (Consent, error)
}
