// Package trust is what verifiers of licences and of sealed files share: chains of certificates to a bundle's anchors, what issuers withdrew, and how far the
// clock may be believed.
package trust

import (
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// Issuers finds a bundle's issuers and the keys that they withdrew. It is read only.
type Issuers struct {
	byID      map[string]*bundle.Issuer
	withdrawn map[withdrawnKey]time.Time // compromised keys; the earliest date
}

// withdrawnKey is an issuer's word about a key of its own. Each authority signs its own part of the bundle: what it says of another's key
// counts for nothing, or one authority could end all licences of another.
type withdrawnKey struct{ issuer, thumbprint string }

// NewIssuers reads a bundle; a nil one has no issuers.
func NewIssuers(b *bundle.Contents) Issuers {
	out := Issuers{byID: map[string]*bundle.Issuer{}, withdrawn: map[withdrawnKey]time.Time{}}
	if b == nil {
		return out
	}
	for i := range b.Issuers {
		out.byID[b.Issuers[i].ID] = &b.Issuers[i]
		for _, k := range b.Issuers[i].Revoked {
			name := withdrawnKey{b.Issuers[i].ID, k.Thumbprint}
			if at, known := out.withdrawn[name]; !known || k.CompromisedAt.Before(at) {
				out.withdrawn[name] = k.CompromisedAt
			}
		}
	}
	return out
}

// Get returns an issuer by its identifier, nil when the bundle doesn't have it.
func (i Issuers) Get(id string) *bundle.Issuer { return i.byID[id] }

// Withdrawn judges a key that signed something dated at (zero: undated). The zero Check means that the issuer didn't withdraw it.
func (i Issuers) Withdrawn(issuer string, key jose.JWK, at time.Time) report.Check {
	since, withdrawn := i.withdrawn[withdrawnKey{issuer, key.Thumbprint()}]
	if !withdrawn {
		return report.Check{}
	}
	detail := "the issuer withdrew this key as of " + report.Stamp(since)
	if at.IsZero() || !at.Before(since) {
		return report.No(report.ReasonKeyWithdrawn, detail).AsAt(since)
	}
	// It says that it was signed before; so would a forgery. Only a third party's timestamp could tell.
	return report.Unclear(report.ReasonKeyWithdrawn, detail+"; nothing but its own word says that it was signed before").AsAt(since)
}
