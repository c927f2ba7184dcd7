// Package trail remembers the last requests of each client, step by step, for its developer.
//
// It is no audit: nothing waits for it, and nothing is lost but a developer's convenience when it drops something. A request collects what it did
// in its context (Begin, OK, Refuse and the rest; all do nothing where nobody collects), and hands it to a buffer that each node flushes by
// itself.
//
// Anybody can send requests in a client's name, so everything here is text from strangers. What is kept of it is an allowlist (redact.go): never a
// code, token, secret, claim value, state or nonce. And noise can't push out what a developer looks for: equal refusals are one entry with a
// count, and the newest of every kind outlives the second newest of any other.
package trail

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Bounds of what is kept.
const (
	// KeepEach is how many successful and how many refused steps are kept for a client.
	KeepEach = 100
	// KeepFor is how long.
	KeepFor = 7 * 24 * time.Hour
)

// Step is where in the protocol something happened.
type Step string

// The steps. Dropped stands for steps that were too many to record; its Count says how many.
const (
	Register   Step = "register"
	Push       Step = "par"
	Authorize  Step = "authorize"
	Login      Step = "login"
	Consent    Step = "consent"
	Code       Step = "code"
	Token      Step = "token"
	Refresh    Step = "refresh"
	Userinfo   Step = "userinfo"
	Introspect Step = "introspect"
	Revoke     Step = "revoke"
	Logout     Step = "logout"
	Dropped    Step = "dropped"
)

// Entry is one step of one request, or a refusal that came Count times.
type Entry struct {
	ClientID string
	Step     Step
	OK       bool
	// Code and Description are those of the refusal, Reason what the caller was not told.
	Code, Description, Reason string
	// Detail is what may be shown of the request; see Parameters.
	Detail map[string]string
	// Ties are hashes that entries of one login share.
	Ties []string
	// Trace is the trace id of the newest request.
	Trace     string
	Count     int64
	First, At time.Time
}

// Refusal is why a request was refused.
type Refusal struct {
	Code, Description, Reason string
	// Cause may be a Detailed, or wrap one.
	Cause error
}

// Detailed is an error that knows facts for the developer. What it returns must be fit to be shown.
type Detailed interface {
	error
	TrailDetail() map[string]string
}

// collector is what one request did so far.
type collector struct {
	mu      sync.Mutex
	now     func() time.Time
	client  string
	step    Step
	ties    map[string]string // kind -> hash
	detail  map[string]string // of the next entry
	entries []Entry
}

// maxEntries and maxDetail bound what one request leaves.
const (
	maxEntries = 4
	maxDetail  = 32
)

type key struct{}

// Begin collects what r does at step. done hands it over and is called once.
func (r *Recorder) Begin(req *http.Request, step Step) (out *http.Request, done func()) {
	if r == nil {
		return req, func() {}
	}
	c := &collector{now: r.cfg.Now, step: step}
	ctx := context.WithValue(req.Context(), key{}, c)
	return req.WithContext(ctx), func() { r.add(c.finish(audit.Trace(ctx))) }
}

// Carry returns ctx with the collector of another context: a transaction's context with that of its request.
func Carry(ctx, from context.Context) context.Context {
	c := of(from)
	if c == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

func of(ctx context.Context) *collector {
	c, _ := ctx.Value(key{}).(*collector)
	return c
}

// with runs fn on the collector of ctx, if there is one.
func with(ctx context.Context, fn func(c *collector)) {
	if c := of(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		fn(c)
	}
}

// Client says whose request it is: a registered client's. The first one counts: a later one is what the request is about.
func Client(ctx context.Context, id string) {
	with(ctx, func(c *collector) {
		if c.client == "" {
			c.client = id
		}
	})
}

// At says that what follows happens at another step.
func At(ctx context.Context, step Step) { with(ctx, func(c *collector) { c.step = step }) }

// Tie says that this request belongs to the login that id names: kind is "flow", "grant" or "pushed". Only a hash of id is kept.
func Tie(ctx context.Context, kind, id string) {
	if id == "" {
		return
	}
	with(ctx, func(c *collector) {
		if c.ties == nil {
			c.ties = map[string]string{}
		}
		sum := sha256.Sum256([]byte(kind + "\x00" + id))
		c.ties[kind] = base64.RawURLEncoding.EncodeToString(sum[:12])
	})
}

// Put keeps one fact for the next entry. The value must be of those that may be shown; it is cut and cleaned.
func Put(ctx context.Context, name, value string) {
	with(ctx, func(c *collector) { c.put(name, clean(value)) })
}

// Parameters keeps what may be shown of a request's parameters for the next entry.
func Parameters(ctx context.Context, v url.Values) {
	with(ctx, func(c *collector) {
		for name, value := range redact(v) {
			c.put(name, value)
		}
	})
}

func (c *collector) put(name, value string) {
	if c.detail == nil {
		c.detail = map[string]string{}
	}
	if _, there := c.detail[name]; value != "" && (there || len(c.detail) < maxDetail) {
		c.detail[name] = value
	}
}

// OK records that a step succeeded.
func OK(ctx context.Context, step Step) {
	with(ctx, func(c *collector) { c.append(Entry{Step: step, OK: true}) })
}

// Passed records that the request's own step succeeded.
func Passed(ctx context.Context) {
	with(ctx, func(c *collector) { c.append(Entry{Step: c.step, OK: true}) })
}

// Refuse records that the request was refused at its step.
func Refuse(ctx context.Context, f Refusal) {
	with(ctx, func(c *collector) {
		var d Detailed
		if errors.As(f.Cause, &d) {
			for name, value := range d.TrailDetail() {
				c.put(name, cut(ascii(value), maxURI))
			}
		}
		c.append(Entry{Step: c.step, Code: f.Code, Description: cut(ascii(f.Description), maxValue), Reason: f.Reason})
	})
}

func (c *collector) append(e Entry) {
	if len(c.entries) >= maxEntries {
		return
	}
	e.Detail, c.detail = c.detail, nil
	e.Count, e.At = 1, c.now()
	e.First = e.At
	c.entries = append(c.entries, e)
}

// finish returns what the request leaves: nothing without a client.
func (c *collector) finish(trace string) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == "" {
		return nil
	}
	var ties []string
	for _, kind := range []string{"flow", "pushed", "grant"} {
		if h := c.ties[kind]; h != "" {
			ties = append(ties, h)
		}
	}
	for i := range c.entries {
		e := &c.entries[i]
		e.ClientID, e.Trace, e.Ties = c.client, trace, ties
	}
	return c.entries
}
