// Package upstream says what the national server needs of a province's login system, whatever protocol it speaks.
//
// A Connector turns "send this browser to the province" and "here is what it came back with" into an Assertion. Each
// protocol has one folder below this one. A connector keeps no state about a login: what must survive the trip travels in
// the Attempt, which the caller seals into a cookie of the browser that started, so that any node can finish.
package upstream

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// Errors of Connector. Everything a connector returns wraps exactly one of them; the text behind it is for the log only and
// must not be shown (it may name hosts or quote the province).
var (
	// ErrUnavailable: the province could not be asked, or did not answer in time. Trying again later may help.
	ErrUnavailable = errors.New("upstream: province unavailable")
	// ErrRefused: the province answered properly that it does not log this person in now (she pressed cancel, say).
	ErrRefused = errors.New("upstream: province refused")
	// ErrAnswer: the province's answer is wrong and nothing in it is believed (signature, issuer, nonce, times, audience).
	ErrAnswer = errors.New("upstream: answer not acceptable")
	// ErrSpent: the province says that the answer was used already or is too old. Starting again helps.
	ErrSpent = errors.New("upstream: answer was used before or is too old")
	// ErrRequest: the browser's request to us is not an answer to this attempt (parameters missing, doubled, of another one).
	ErrRequest = errors.New("upstream: callback not acceptable")
)

// Attempt is one try to log in at one province. It is made when the browser is sent away and must come back unchanged.
type Attempt struct {
	Flow     string    `json:"f"` // the flow it belongs to
	Province string    `json:"p"` // six digits
	State    string    `json:"s"` // 256 random bits; single use
	Nonce    string    `json:"n"` // 256 random bits; must be in the assertion
	Verifier string    `json:"v"` // PKCE code verifier
	Started  time.Time `json:"t"`
	Fresh    bool      `json:"r,omitempty"` // the person must prove herself again even if the province still knows her
}

// StartOptions are wishes about the login that the province may honour.
type StartOptions struct {
	Level    Level  // lowest level that the service needs, LevelNone when it said nothing
	Language string // BCP 47 tag of the page the person just saw
}

// Claims are the facts about a person that a province may assert. An empty field was not asserted.
type Claims struct {
	Name        string `json:"name,omitempty"`
	Birthdate   string `json:"birthdate,omitempty"` // YYYY-MM-DD
	Gender      string `json:"gender,omitempty"`    // "female" or "male" as in OpenID Connect Core 5.1
	PhoneNumber string `json:"phone_number,omitempty"`
	// PhoneVerified: the province says that it made sure that the number is hers.
	PhoneVerified bool   `json:"phone_number_verified,omitempty"`
	ResidentID    string `json:"resident_id,omitempty"` // GB 11643, 18 characters, canonical
}

// Assertion is what a province said about one person, fully checked: a Connector returns one only after every check of its
// protocol has passed. Level is the translation of ACR by the table agreed with that province, before any ceiling.
type Assertion struct {
	Province string // six digits: whose connector made it, never what the answer claims
	Subject  string // the province's own stable identifier of the account
	Claims   Claims
	ACR      string // as the province wrote it; "" when absent
	Level    Level
	AMR      []string  // RFC 8176
	AuthTime time.Time // when the person proved herself there; never zero
}

// State is how a province is doing, as far as this node has seen.
type State struct {
	Down  bool
	Slow  time.Duration // typical extra waiting, 0 when not slow
	Until time.Time     // when a down province will be tried again
}

// Connector speaks to one province. Safe for concurrent use.
type Connector interface {
	// Start returns the address at the province to send the browser to. It makes no lasting change anywhere.
	Start(ctx context.Context, a Attempt, o StartOptions) (location string, err error)
	// Finish checks the parameters that the browser brought back against the attempt and returns what the province
	// asserts. It may be called again with the same input; the caller, not the connector, claims the state.
	Finish(ctx context.Context, a Attempt, answer url.Values) (Assertion, error)
	// State returns without asking the province.
	State() State
}
