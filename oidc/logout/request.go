package logout

import (
	"errors"
	"net/http"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/trail"
)

// request is a request to log out, as far as it could be verified. Its exported fields travel sealed through the confirmation page.
type request struct {
	// ClientID is set when a client is named, or proved by a hint.
	ClientID string `json:"c,omitempty"`
	// Next is the exact registered address to go to. Stray is an address that was asked for and is none: nobody is sent there.
	Next  string  `json:"n,omitempty"`
	Stray string  `json:"x,omitempty"`
	State *string `json:"s,omitempty"`

	client       client.Client
	subject, sid string // of a valid hint
}

// refusal is a request that can't be believed. developer says what to change.
type refusal struct {
	developer string
	cause     error
}

func (e *refusal) Error() string { return e.developer + " (" + e.cause.Error() + ")" }
func (e *refusal) Unwrap() error { return e.cause }

func refuse(developer string, cause error) error {
	return &refusal{developer: developer, cause: cause}
}

func badForm(err error) error {
	return refuse("Send each parameter once, by GET or form-encoded by POST.", err)
}

// read checks a request (RP-Initiated Logout 1.0 section 2). logout_hint has nothing to choose from, as a browser has one session;
// ui_locales is read by the pages.
func (h *Handler) read(r *http.Request) (request, error) {
	var req request
	v, err := httpx.Query(r)
	if err != nil {
		return req, badForm(err)
	}
	req.ClientID = v.Get("client_id")
	if raw := v.Get("id_token_hint"); raw != "" {
		got, err := h.cfg.Hints.Read(r.Context(), raw)
		switch {
		case errors.Is(err, hint.ErrHint):
			return req, refuse("id_token_hint must be an ID token of this issuer, exactly as it was issued. It may have expired.", err)
		case err != nil:
			return req, err
		case req.ClientID != "" && req.ClientID != got.ClientID:
			return req, refuse("client_id must be the aud of id_token_hint.", errors.New("the hint is another client's"))
		}
		req.ClientID, req.subject, req.sid = got.ClientID, got.Subject, got.SessionID
	}
	next := v.Get("post_logout_redirect_uri")
	trail.Parameters(r.Context(), v)
	c, err := h.cfg.Clients.Get(r.Context(), req.ClientID)
	switch {
	case errors.Is(err, client.ErrUnknown):
		return request{Stray: next}, nil // nothing that it says counts
	case err != nil:
		return req, err
	}
	req.client = c
	if !c.AllowsPostLogoutRedirect(next) {
		req.Stray = next
		return req, nil
	}
	req.Next = next
	if v.Has("state") {
		state := v.Get("state")
		req.State = &state
	}
	return req, nil
}
