package port

import (
	"crypto/x509"
	"time"
)

// Policy is what an issuer decides by rule, as data.
type Policy struct {
	// BatchSize is how many credentials one request gives at most; 10 when zero. Below 2 there are no batches.
	BatchSize int
	// Makers are the anchors of makers of wallets, for key attestations. Without any, attestations are neither offered nor looked at.
	Makers []*x509.Certificate
	// SupersedeAfter is how long older copies of a licence on one device stay good after new ones were made: a wallet whose answer was lost still has
	// something. 24 hours when zero; negative: older copies are only marked, and end with their own exp.
	SupersedeAfter time.Duration
	// DeferInterval is after how long a wallet should ask again for what was deferred, DeferLife how long it can; 5 minutes and 30 days when zero.
	DeferInterval, DeferLife time.Duration
	// EncryptRequests requires encrypted requests, EncryptResponses that encrypted responses are asked for (section 12.2.4).
	EncryptRequests, EncryptResponses bool
}

func (p *Policy) complete() {
	setDefault(&p.BatchSize, 10)
	setDefault(&p.SupersedeAfter, 24*time.Hour)
	setDefault(&p.DeferInterval, 5*time.Minute)
	setDefault(&p.DeferLife, 30*24*time.Hour)
}
