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
	// touchAfter spares a write on every page: UsedAt may lag by this much.
	touchAfter = 5 * time.Minute
)

// Manager makes, finds and ends sessions. Safe for concurrent use; holds none.
type Manager struct {
	Store Store
	Now   func() time.Time
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
	replaces := ""
	if old := cookieOf(r); old != "" {
		replaces = hash(old)
	}
	// The same person at the same browser goes on with the same name towards clients: a stronger login is no logout.
	s.SID = s.Key
	if old, err := m.of(ctx, r); err == nil && old.PersonID == s.PersonID && old.SID != "" {
		s.SID = old.SID
	} else if err != nil && !errors.Is(err, ErrNone) {
		return New{}, err
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
	id := cookieOf(r)
	if id == "" {
		return Session{}, ErrNone
	}
	s, err := m.Store.Session(ctx, hash(id))
	if err != nil {
		return Session{}, err
	}
	now := m.Now()
	if !now.Before(s.ExpiresAt) || !now.Before(s.UsedAt.Add(IdleLife)) {
		return Session{}, ErrNone
	}
	return s, nil
}

// Touch says that the session was used. It writes only when the last use is some minutes old.
func (m *Manager) Touch(ctx context.Context, s Session) error {
	now := m.Now()
	if now.Sub(s.UsedAt) < touchAfter {
		return nil
	}
	return m.Store.TouchSession(ctx, s.Key, now)
}

// End ends the session and tells why; the cookie is cleared by ClearCookie.
func (m *Manager) End(ctx context.Context, s Session, client string) error {
	return m.Store.EndSession(ctx, s.Key, audit.Event{Kind: "oidc.session_ended", Actor: s.PersonID, Subject: s.PersonID, Client: client})
}

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
