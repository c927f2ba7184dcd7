// Package par is the pushed authorization request endpoint (RFC 9126): the client authenticates and sends its whole request, which is checked
// here and now, and the browser then carries only a reference.
package par

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/jar"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/pushed"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Store is what the endpoint writes.
type Store interface {
	pushed.Store
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error
	Audit(ctx context.Context, ev audit.Event) error
}

// Pushed keeps and finds pushed requests. Safe for concurrent use.
type Pushed struct {
	Store  pushed.Store
	Sealer *httpx.Sealer
	Now    func() time.Time
}

// purpose seals pushed requests: a reader of the database learns nothing of who asks what.
const purpose = "oidc.pushed"

func id(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keep writes a checked request, in the transaction of ctx, and returns its request_uri.
func (p *Pushed) keep(ctx context.Context, c client.Client, req flow.Request) (string, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	reference := base64.RawURLEncoding.EncodeToString(raw[:])
	sealed, err := p.Sealer.Seal(purpose, req)
	if err != nil {
		return "", err
	}
	now, limit := p.Now(), 0
	if c.Public {
		limit = pushed.PublicLimit
	}
	trail.Tie(ctx, "pushed", id(reference))
	err = p.Store.PutPushed(ctx, pushed.Request{ID: id(reference), ClientID: c.ID, Parameters: sealed, ExpiresAt: now.Add(pushed.Life)}, limit)
	return pushed.Prefix + reference, err
}

// Open finds the request behind a reference. One that is another client's, too old or used up is unknown: it is not burnt by whoever shows
// it (library-traps: anybody who sees the reference could end the login).
func (p *Pushed) Open(ctx context.Context, c client.Client, requestURI string) (flow.Request, error) {
	reference, ok := strings.CutPrefix(requestURI, pushed.Prefix)
	if !ok || len(reference) != 43 {
		return flow.Request{}, pushed.ErrUnknown
	}
	kept, err := p.Store.Pushed(ctx, id(reference))
	if err != nil {
		return flow.Request{}, err
	}
	if kept.ClientID != c.ID || !p.Now().Before(kept.ExpiresAt) {
		return flow.Request{}, pushed.ErrUnknown
	}
	var req flow.Request
	if err := p.Sealer.Open(purpose, kept.Parameters, &req); err != nil {
		return flow.Request{}, pushed.ErrUnknown
	}
	req.Pushed = kept.ID
	return req, nil
}

// Handler serves the endpoint. Safe for concurrent use.
type Handler struct {
	Store         Store
	Pushed        *Pushed
	Authenticator client.Authenticator
	Bindings      binding.Checker
	Requests      *request.Parser
	Log           *slog.Logger
	Now           func() time.Time
}

// ServeHTTP answers a push (RFC 9126 section 2).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.Bindings.Hand(w)
	uri, err := h.push(r)
	if err != nil {
		oauth.Write(w, r, h.Log, err)
		return
	}
	trail.OK(r.Context(), trail.Push)
	httpx.WriteJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int(pushed.Life / time.Second)})
}

func (h *Handler) push(r *http.Request) (string, error) {
	form, err := httpx.Form(r, request.Repeatable)
	if err != nil {
		return "", oauth.FromForm(err)
	}
	who, err := h.Authenticator.Authenticate(r, form)
	if err == nil && who.Anonymous() {
		err = client.ErrAuthentication
	}
	if err != nil {
		return "", client.Refusal(err)
	}
	c := who.Client()
	shown, err := h.Bindings.At(r, "/par", c.Policy().DPoPNonce)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		form.Del(name) // who asks is known; what was asked is what remains
	}
	req, object, err := h.Requests.Push(r.Context(), c, form)
	if err != nil {
		return "", err
	}
	// A proof binds the code like dpop_jkt does (RFC 9449 section 10.1).
	if shown.JKT != "" && req.JKT != "" && shown.JKT != req.JKT {
		return "", oauth.New(oauth.InvalidDPoPProof, "dpop_jkt names another key than the DPoP proof")
	}
	req.JKT = max(req.JKT, shown.JKT)
	req.Instance = who.Instance()
	uri := ""
	err = h.Store.InTx(r.Context(), func(ctx context.Context) error {
		if err := who.UseUp(ctx, h.Store.ClaimOnce); err != nil {
			return client.Refusal(err)
		}
		if err := shown.UseUp(ctx, h.Store.ClaimOnce); err != nil {
			return err
		}
		if object != nil {
			if err := h.Store.ClaimOnce(ctx, jar.Kind, object.ID, object.Expires); errors.Is(err, client.ErrReplayed) {
				return oauth.Because(oauth.InvalidRequestObject, "the request object was used before", err)
			} else if err != nil {
				return err
			}
		}
		uri, err = h.Pushed.keep(ctx, c, req)
		return err
	})
	if errors.Is(err, pushed.ErrTooMany) {
		err = &oauth.Error{Code: oauth.InvalidRequest, Description: "too many requests of this client are open", Status: http.StatusTooManyRequests, Cause: err}
	}
	return uri, err
}
