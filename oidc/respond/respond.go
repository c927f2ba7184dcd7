// Package respond writes authorization responses: in the query, as a form that the browser posts, plain or as a JWT (JARM).
//
// There is one writer for success and error, so that an error never travels in another way than the code would have.
package respond

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/web"
)

// jwtLife is how long a JWT response is good: it travels through one browser (JARM section 2.1: at most ten minutes).
const jwtLife = 5 * time.Minute

// Pages are the pages that carry a response; *web.Pages has them.
type Pages interface {
	Handback(w http.ResponseWriter, r *http.Request, page web.HandbackPage)
	Problem(w http.ResponseWriter, r *http.Request, page web.ProblemPage)
}

// Sealer signs and, where the client registered it, encrypts an answer.
type Sealer interface {
	Authorization(ctx context.Context, c client.Client, claims map[string]any) (string, error)
}

// Writer writes responses. Safe for concurrent use.
type Writer struct {
	Issuer string
	Sealer Sealer
	Pages  Pages
	Log    *slog.Logger
	Now    func() time.Time
}

// Error writes an error response. Only what the specifications name is in it, and iss (RFC 9207).
func (o *Writer) Error(w http.ResponseWriter, r *http.Request, c client.Client, req flow.Request, e *oauth.Error) {
	v := url.Values{"error": {string(e.Code)}}
	if e.Description != "" {
		v.Set("error_description", e.Description)
	}
	if uri := e.URI(o.Issuer); uri != "" {
		v.Set("error_uri", uri)
	}
	e.Record(r.Context())
	o.Write(w, r, c, req, v)
}

// Write sends the browser to the client with v, state and iss.
func (o *Writer) Write(w http.ResponseWriter, r *http.Request, c client.Client, req flow.Request, v url.Values) {
	if req.State != nil {
		v.Set("state", *req.State)
	}
	mode, jwt := strings.CutSuffix(req.Mode, ".jwt")
	if jwt {
		token, err := o.sealed(r.Context(), c, v)
		if err != nil {
			o.Log.ErrorContext(r.Context(), "authorization response failed", "trace", audit.Trace(r.Context()), "error", err)
			o.Pages.Problem(w, r, web.NewProblem(web.ProblemInternal, nil))
			return
		}
		v = url.Values{"response": {token}}
	} else {
		v.Set("iss", o.Issuer)
	}
	if mode == "form_post" {
		o.post(w, r, c, req.RedirectURI, v)
		return
	}
	sep := "?"
	if strings.Contains(req.RedirectURI, "?") {
		sep = "&" // the registered address as it is, a query of its own included
	}
	http.Redirect(w, r, req.RedirectURI+sep+v.Encode(), http.StatusSeeOther)
}

// sealed is the response as a JWT (JARM section 2.1).
func (o *Writer) sealed(ctx context.Context, c client.Client, v url.Values) (string, error) {
	claims := map[string]any{"iss": o.Issuer, "aud": c.ID, "exp": o.Now().Add(jwtLife).Unix()}
	for name, values := range v {
		claims[name] = values[0]
	}
	token, err := o.Sealer.Authorization(ctx, c, claims)
	if err != nil {
		return "", fmt.Errorf("respond: %w", err)
	}
	return token, nil
}

// post answers with a form that goes to the client by itself, or by its button where there is no script (OAuth 2.0 Form Post Response Mode).
func (o *Writer) post(w http.ResponseWriter, r *http.Request, c client.Client, redirectURI string, v url.Values) {
	page := web.HandbackPage{Client: c.Name, Action: redirectURI}
	for _, name := range []string{"response", "code", "error", "error_description", "error_uri", "state", "iss"} {
		if v.Has(name) {
			page.Fields = append(page.Fields, web.Field{Name: name, Value: v.Get(name)})
		}
	}
	httpx.AllowFormAction(w, client.Origin(redirectURI))
	o.Pages.Handback(w, r, page)
}
