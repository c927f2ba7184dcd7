// Package session keeps who is logged in at this browser.
//
// A session is a row that only the holder of a 256-bit random id can name; the row holds the id's hash. The id is never adopted from
// a request: every login makes a new one and ends the old (session fixation).
package session

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// CookieName of the session. __Host- binds it to this host, path / and a secure transport.
const CookieName = "__Host-hufu-session"

// ErrNone: nobody is logged in: no cookie, or its session is unknown, ended or expired.
var ErrNone = errors.New("session: none")

// Session is a logged-in person at one browser.
type Session struct {
	// Key is the hash of the cookie's id: names the row, and is safe to keep in sealed state.
	Key string
	// SID names the login towards grants and clients. It stays when the same person logs in again at the same browser, and ends with the logout.
	SID      string
	PersonID string
	Province string
	ACR      string // "loa1".."loa4"
	AMR      []string
	AuthTime time.Time // when the person proved herself at the province
	// CreatedAt starts the absolute life, UsedAt the idle one.
	CreatedAt, UsedAt, ExpiresAt time.Time
}

// Member is a client that takes part in a session and wants to hear of its end.
type Member struct {
	ClientID string
	Subject  string // the person's sub in the client's ID tokens
}

// Store keeps sessions. Every method joins the transaction in ctx. Safe for concurrent use by several nodes.
type Store interface {
	// PutSession writes a new session and deletes the one named replaces ("" for none), whose SID it carries on: its members stay as long as
	// the new session. With the audit event.
	PutSession(ctx context.Context, s Session, replaces string, ev audit.Event) error
	// Session reads a session, expired ones too. ErrNone.
	Session(ctx context.Context, key string) (Session, error)
	// UseSession moves UsedAt forward and holds the session's row until the end of the transaction: whoever ends the session waits for it.
	// ErrNone when the session is gone.
	UseSession(ctx context.Context, key string, usedAt time.Time) error
	// PutMember says that a client takes part in the session named sid. No error when it does already, and nothing is written then.
	PutMember(ctx context.Context, sid string, m Member, expires time.Time) error
	// EndSession deletes a session, with the audit event. false when it is gone already: of any number of callers exactly one ends it.
	EndSession(ctx context.Context, key string, ev audit.Event) (bool, error)
}
