// Package developer shows developers what their client did last and what every refusal means.
//
//	GET  /developer                 for which client; POST signs in
//	POST /developer/leave           signs out
//	GET  /developer/clients/{id}    the last requests of a client
//	GET  /developer/errors          every refusal with its cause and fix; error_uri leads to one of them
//
// The table of errors is for everybody. The requests of a client are for whoever shows that client's secret or its registration access token; a
// server on somebody's own machine (Open) shows them without.
package developer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/logout"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/developerpages"
)

// SessionLife is how long a developer stays signed in.
const SessionLife = 30 * time.Minute

const (
	startPath   = "/developer"
	leavePath   = "/developer/leave"
	clientsPath = "/developer/clients/"
)

// Handler serves the pages. Safe for concurrent use.
type Handler struct {
	Issuer  string
	Clients *client.Registry
	// Trail may be nil: then there are no requests to show.
	Trail *trail.Recorder
	// Deliveries lists the newest logout tokens to a client.
	Deliveries func(ctx context.Context, clientID string) ([]logout.Delivery, error)
	Sealer     *httpx.Sealer
	Pages      developerpages.Pages
	// Open asks for no proof.
	Open    bool
	FormKey []byte
	Log     *slog.Logger
	Now     func() time.Time
}

// Routes mounts the pages.
func (h *Handler) Routes(r *mux.Router) {
	get := []string{http.MethodGet, http.MethodHead}
	r.HandleFunc(oauth.ErrorsPath, h.errorList).Methods(get...)
	r.HandleFunc(oauth.ErrorsPath+"/{anchor}", h.errorPage).Methods(get...)
	r.HandleFunc(startPath, h.start).Methods(get...)
	r.HandleFunc(clientsPath+"{id}", h.client).Methods(get...)
	if !h.Open {
		r.HandleFunc(startPath, h.signIn).Methods(http.MethodPost)
		r.HandleFunc(leavePath, h.leave).Methods(http.MethodPost)
	}
}

func (h *Handler) errorList(w http.ResponseWriter, r *http.Request) {
	var page developerpages.ErrorsPage
	place := map[oauth.Code]int{}
	for _, e := range oauth.Entries() {
		i, ok := place[e.Code]
		if !ok {
			i = len(page.Groups)
			place[e.Code] = i
			page.Groups = append(page.Groups, developerpages.ErrorGroup{Code: string(e.Code)})
		}
		page.Groups[i].Refusals = append(page.Groups[i].Refusals, refusal(e))
	}
	h.Pages.Errors(w, r, page)
}

func (h *Handler) errorPage(w http.ResponseWriter, r *http.Request) {
	e, ok := oauth.ByAnchor(mux.Vars(r)["anchor"])
	if !ok {
		h.notFound(w, r)
		return
	}
	h.Pages.Error(w, r, refusal(e))
}

func refusal(e oauth.Entry) developerpages.Refusal {
	return developerpages.Refusal{Code: string(e.Code), Description: e.Description, Cause: e.Cause, Fix: e.Fix, Spec: e.Spec, SpecLink: e.Link(), Path: e.Path()}
}

func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	h.Pages.Problem(w, r, web.NewProblem(web.ProblemNotFound, nil))
}

// session is a developer in her browser: Key ties forms to it, Proof is the hash that she proved, so that a changed secret ends it.
type session struct {
	Key    string `json:"k"`
	Client string `json:"c,omitempty"`
	Proof  string `json:"p,omitempty"`
}

func (h *Handler) cookie() httpx.Cookie {
	return httpx.Cookie{Name: "hufu-developer", Sealer: h.Sealer, TTL: SessionLife, Strict: true, Now: h.Now}
}

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// of reads the session of a browser; the zero one is nobody's.
func (h *Handler) of(r *http.Request) session {
	var s session
	if h.cookie().Get(r, &s) != nil {
		return session{}
	}
	return s
}

func clientPath(id string) string { return clientsPath + url.PathEscape(id) }

// start asks for which client, or goes on to the one that is known.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("client")
	if h.Open {
		page := developerpages.StartPage{Open: true, Action: startPath, Client: id}
		if id == "" {
			h.Pages.Start(w, r, http.StatusOK, page)
			return
		}
		_, err := h.Clients.Get(r.Context(), id)
		switch {
		case errors.Is(err, client.ErrUnknown):
			page.Problem = developerpages.UnknownClient
			h.Pages.Start(w, r, http.StatusNotFound, page)
		case err != nil:
			h.fault(w, r, err)
		default:
			http.Redirect(w, r, clientPath(id), http.StatusSeeOther)
		}
		return
	}
	s := h.of(r)
	if s.Client != "" && (id == "" || id == s.Client) {
		if _, err := h.signedIn(r.Context(), s, s.Client); err == nil {
			http.Redirect(w, r, clientPath(s.Client), http.StatusSeeOther)
			return
		}
	}
	h.ask(w, r, http.StatusOK, developerpages.StartPage{Client: id})
}

// ask shows the form to sign in, with a key of this browser in its cookie.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, status int, page developerpages.StartPage) {
	s := session{Key: newKey()}
	if err := h.cookie().Set(w, r, s); err != nil {
		h.fault(w, r, err)
		return
	}
	page.Action, page.CSRF = startPath, httpx.FormToken(h.FormKey, s.Key)
	h.Pages.Start(w, r, status, page)
}

// signIn takes client id and proof. An unknown client and a wrong secret get one answer.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	form, err := httpx.Form(r)
	if err != nil || httpx.CheckForm(r, h.Issuer, h.FormKey, h.of(r).Key, form.Get("csrf")) != nil {
		h.formProblem(w, r)
		return
	}
	id := form.Get("client")
	c, err := h.Clients.Get(r.Context(), id)
	if err != nil && !errors.Is(err, client.ErrUnknown) {
		h.fault(w, r, err)
		return
	}
	proof := client.HashSecret(form.Get("secret"))
	if err != nil || !h.proves(c, proof) {
		if len(id) > 200 {
			id = ""
		}
		h.ask(w, r, http.StatusForbidden, developerpages.StartPage{Client: id, Problem: developerpages.WrongProof})
		return
	}
	if err := h.cookie().Set(w, r, session{Key: newKey(), Client: c.ID, Proof: proof}); err != nil {
		h.fault(w, r, err)
		return
	}
	http.Redirect(w, r, clientPath(c.ID), http.StatusSeeOther)
}

// proves says whether a hash is that of the client's secret, of its previous one while it is good, or of its registration access token.
func (h *Handler) proves(c client.Client, hash string) bool {
	good := []string{c.SecretHash, c.TokenHash}
	if h.Now().Before(c.PreviousSecretEnds) {
		good = append(good, c.PreviousSecretHash)
	}
	found := 0
	for _, g := range good {
		if g != "" {
			found |= subtle.ConstantTimeCompare([]byte(g), []byte(hash))
		}
	}
	return found == 1
}

func (h *Handler) leave(w http.ResponseWriter, r *http.Request) {
	form, err := httpx.Form(r)
	if err != nil || httpx.CheckForm(r, h.Issuer, h.FormKey, h.of(r).Key, form.Get("csrf")) != nil {
		h.formProblem(w, r)
		return
	}
	h.cookie().Clear(w, r)
	http.Redirect(w, r, startPath, http.StatusSeeOther)
}

func (h *Handler) formProblem(w http.ResponseWriter, r *http.Request) {
	p := web.NewProblem(web.ProblemForm, nil)
	p.Next = web.Next(web.NextBack, startPath)
	h.Pages.Problem(w, r, p)
}

func (h *Handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	h.Log.ErrorContext(r.Context(), "developer page failed", "trace", audit.Trace(r.Context()), "error", err)
	h.Pages.Problem(w, r, web.NewProblem(web.ProblemInternal, nil))
}

// errOther: signed in for another client, or for none any more.
var errOther = errors.New("developer: not this client's developer")

// signedIn finds the client that a session is for.
func (h *Handler) signedIn(ctx context.Context, s session, id string) (client.Client, error) {
	if s.Client != id {
		return client.Client{}, errOther
	}
	c, err := h.Clients.Get(ctx, id)
	switch {
	case errors.Is(err, client.ErrUnknown), err == nil && !h.proves(c, s.Proof):
		return client.Client{}, errOther
	}
	return c, err
}
