package httpx

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
)

// Problem is a problem detail with a stable code (RFC 9457): how our own APIs refuse. Embed it to add members.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Code is what programs go by.
	Code    string `json:"code"`
	TraceID string `json:"trace_id,omitempty"`
}

// Bearer is an API that takes bearer tokens, by the names that RFC 6750 wants in a challenge.
type Bearer struct{ Realm, Scope string }

// Token reads the access token from the one place where it may be: never from the query, which ends up in logs. RFC 6750, section 2.1.
func (Bearer) Token(r *http.Request) (string, bool) { return AccessToken(r) }

// AccessToken finds the one access token of the Authorization header, under the scheme Bearer or DPoP (RFC 6750 section 2.1, RFC 9449 section 7.1). Whether
// the scheme fits the token is for whoever checks the token.
func AccessToken(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP")) && token != "" && !strings.ContainsAny(token, " ,\t")
}

// Refuse writes a problem: p is a Problem or embeds one, with status and code; the challenge goes with 401 and with the code insufficient_scope. The trace
// id must be in it already (Trace).
func (b Bearer) Refuse(w http.ResponseWriter, r *http.Request, status int, code string, p any) {
	h := w.Header()
	challenge := `Bearer realm="` + b.Realm + `"`
	switch {
	case status == http.StatusUnauthorized && r.Header.Get("Authorization") == "":
		h.Set("WWW-Authenticate", challenge+`, scope="`+b.Scope+`"`)
	case status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge+`, scope="`+b.Scope+`", error="invalid_token"`)
	case code == "insufficient_scope":
		h.Set("WWW-Authenticate", challenge+`, error="insufficient_scope", scope="`+b.Scope+`"`)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500,"code":"server_error","title":"Something failed here"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// Trace is the trace id of a request, for a Problem.
func Trace(r *http.Request) string { return audit.Trace(r.Context()) }
