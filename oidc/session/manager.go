package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Lives of a session.
const (
	IdleLife     = time.Hour
	AbsoluteLife = 8 * time.Hour
)

// Manager makes, finds and ends sessions. Safe for concurrent use; holds none.
type Manager struct {
	Store Store
	Now   func() time.Time
	// Ended does what follows from the end of a session, in the transaction that ends it; nil for nothing.
	Ended func(ctx context.Context, s Session) error
}

// New is a session that is written but whose cookie is not set yet: the browser gets it after the commit.
type New struct {
	Session
	id string
}

// Start writes a session for a person who has just logged in, in the transaction of ctx, and ends the one that r's browser had. s carries
// who and how; key and times are set here.
func (m *Manager) Start(ctx context.Context, r *http.Request, s Session) (New, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	id := base64.RawURLEncoding.EncodeToString(raw[:])
	now := m.Now()
	s.Key, s.CreatedAt, s.UsedAt, s.ExpiresAt = hash(id), now, now, now.Add(AbsoluteLife)
	s.SID = s.Key
	replaces := ""
	old, err := m.row(ctx, r)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return New{}, err
	case old.PersonID == s.PersonID && old.SID != "":
		// The same person at the same browser goes on with the same name towards clients, also after a pause: a stronger login is no
		// logout, and a logout later on still reaches the clients of before.
		s.SID, replaces = old.SID, old.Key
	default:
		// Somebody else sits at this browser now: what the first one left open is closed, here and at the departments.
		if err := m.end(ctx, old, "", "replaced"); err != nil {
			return New{}, err
		}
	}
	ev := audit.Event{Kind: "oidc.session_started", Actor: s.PersonID, Subject: s.PersonID,
		Detail: map[string]string{"acr": s.ACR, "province": s.Province}}
	if err := m.Store.PutSession(ctx, s, replaces, ev); err != nil {
		return New{}, err
	}
	return New{Session: s, id: id}, nil
}

// SetCookie gives the session to the browser.
func (n New) SetCookie(w http.ResponseWriter) { setCookie(w, n.id, int(AbsoluteLife/time.Second)) }

// Of returns the session of the browser that sent r. ErrNone, or a fault.
func (m *Manager) Of(r *http.Request) (Session, error) { return m.of(r.Context(), r) }

// In is Of inside the transaction of ctx.
func (m *Manager) In(ctx context.Context, r *http.Request) (Session, error) { return m.of(ctx, r) }

func (m *Manager) of(ctx context.Context, r *http.Request) (Session, error) {
	s, err := m.row(ctx, r)
	if err != nil {
		return Session{}, err
	}
	now := m.Now()
	if !now.Before(s.ExpiresAt) || !now.Before(s.UsedAt.Add(IdleLife)) {
		return Session{}, ErrNone
	}
	return s, nil
}

// row reads the session that r's cookie names, expired or not.
func (m *Manager) row(ctx context.Context, r *http.Request) (Session, error) {
	id := cookieOf(r)
	if id == "" {
		return Session{}, ErrNone
	}
	return m.Store.Session(ctx, hash(id))
}

// Use says, in the transaction of ctx, that something is issued by the session. A logout at the same moment either waits and ends what was
// issued, or came first: then this is ErrNone, and nothing may be issued any more.
func (m *Manager) Use(ctx context.Context, s Session) error {
	return m.Store.UseSession(ctx, s.Key, m.Now())
}

// Join says that a client takes part in the session, and is to hear of its end.
func (m *Manager) Join(ctx context.Context, s Session, member Member) error {
	return m.Store.PutMember(ctx, s.SID, member, s.ExpiresAt)
}

// End ends the session and does what follows, in the transaction of ctx; the cookie is cleared by ClearCookie. client is who asked, or "".
func (m *Manager) End(ctx context.Context, s Session, client string) error {
	return m.end(ctx, s, client, "logout")
}

func (m *Manager) end(ctx context.Context, s Session, client, reason string) error {
	ended, err := m.Store.EndSession(ctx, s.Key, audit.Event{Kind: "oidc.session_ended", Actor: s.PersonID, Subject: s.PersonID, Client: client,
		Detail: map[string]string{"reason": reason}})
	if err != nil || !ended || m.Ended == nil {
		return err
	}
	return m.Ended(ctx, s)
}

// Sent says whether the browser sent a session cookie at all, good or not.
func Sent(r *http.Request) bool { return cookieOf(r) != "" }

// ClearCookie takes the session from the browser.
func ClearCookie(w http.ResponseWriter) { setCookie(w, "", -1) }

func setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: CookieName, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
}

// cookieOf returns the session id that the browser sent, if it looks like one of ours.
func cookieOf(r *http.Request) string {
	c, err := r.Cookie(CookieName)
	if err != nil || len(c.Value) != 43 {
		return ""
	}
	return c.Value
}

// hash names a session without being able to use it: who reads the database can't log in with it.
func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
