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

// Store keeps sessions. Every method joins the transaction in ctx. Safe for concurrent use by several nodes.
type Store interface {
	// PutSession writes a new session and ends the one named replaces ("" for none), with the audit event.
	PutSession(ctx context.Context, s Session, replaces string, ev audit.Event) error
	// Session reads a session, expired ones too. ErrNone.
	Session(ctx context.Context, key string) (Session, error)
	// TouchSession moves UsedAt forward. ErrNone when the session is gone.
	TouchSession(ctx context.Context, key string, usedAt time.Time) error
	// EndSession deletes a session, with the audit event. No error when it is gone already.
	EndSession(ctx context.Context, key string, ev audit.Event) error
}
