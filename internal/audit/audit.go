// Package audit says what happened, to whom and by whom, in a form that can be checked later.
//
// Audit is not logging: an event is written in the transaction that it describes, so that neither exists without the other.
// A background step (Chainer) numbers the events, links each to the one before by hash and signs the head.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Kind names what happened: "<module>.<past participle phrase>", such as "oidc.code_redeemed". Kinds are stable: they are searched for.
type Kind string

// Event is one thing that happened. It never carries a token, a code, a key or the value of a claim.
type Event struct {
	// ID, At and TraceID are filled in when the event is written.
	ID      string
	At      time.Time
	TraceID string

	Kind Kind
	// Actor is who did it: a person id, a client id, a department's credit code, or "system".
	Actor string
	// Subject is what it was done to: a person id, a licence id, a key id.
	Subject string
	// Client is the relying party or wallet on whose behalf it happened, if any.
	Client string
	// Detail holds few short facts for a reader, such as a reason code.
	Detail map[string]string
}

// NewID returns a new event id that sorts by time: 12 hexadecimal digits of milliseconds, then 80 random bits.
func NewID(at time.Time) string {
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	_, _ = rand.Read(b[6:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

type traceKey struct{}

// WithTrace returns a context that carries the trace id of a request.
func WithTrace(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceKey{}, id)
}

// Trace returns the trace id that ctx carries, or "".
func Trace(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}
