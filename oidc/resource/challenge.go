package resource

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/oidc/dpop"
)

// Codes of refusals.
const (
	invalidRequest             = "invalid_request"                  // RFC 6750 section 3.1
	invalidToken               = "invalid_token"                    // RFC 6750
	insufficientScope          = "insufficient_scope"               // RFC 6750
	insufficientAuthentication = "insufficient_user_authentication" // RFC 9470 section 3
	invalidProof               = "invalid_dpop_proof"               // RFC 9449 section 7.1
	useNonce                   = "use_dpop_nonce"                   // RFC 9449 section 9
	unavailable                = "temporarily_unavailable"          // ours, with 503
)

// errNothing: no token was sent. Such an answer carries no code (RFC 6750 section 3.1).
var errNothing = &refusal{status: http.StatusUnauthorized}

// refusal is an answer for the client's developer: fixed text, nothing from the request.
type refusal struct {
	status     int
	code, text string
	params     []string // further parameters of the challenge
	cause      error    // for the log
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.code + ": " + r.cause.Error()
	}
	return r.code + ": " + r.text
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(status int, code, text string) error {
	return &refusal{status: status, code: code, text: text}
}

func because(status int, code, text string, cause error) error {
	return &refusal{status: status, code: code, text: text, cause: cause}
}

// refuse answers. An error that is no refusal is a fault of ours or of the issuer, not of the request.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, scheme string, err error) {
	var f *refusal
	if errors.As(err, &f) {
		g.cfg.Log.InfoContext(r.Context(), "request refused", "path", r.URL.Path, "error", err)
	} else {
		g.cfg.Log.ErrorContext(r.Context(), "tokens can't be checked", "path", r.URL.Path, "error", err)
		f = &refusal{status: http.StatusServiceUnavailable, code: unavailable, text: "tokens can't be checked at the moment"}
		w.Header().Set("Retry-After", "5")
	}
	if f.status == http.StatusUnauthorized || f.status == http.StatusForbidden {
		for _, challenge := range g.challenges(scheme, f) {
			w.Header().Add("WWW-Authenticate", challenge)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(f.status)
	body := map[string]string{}
	if f.code != "" {
		body["error"], body["error_description"] = f.code, f.text
	}
	_ = json.NewEncoder(w).Encode(body)
}

// challenges are the schemes that may be used here. The one that was used comes first and tells what was wrong with it. Where only bound tokens are taken, Bearer isn't offered: what
// remains for it are tokens bound to a certificate, whose clients know.
func (g *Guard) challenges(used string, f *refusal) []string {
	schemes := []string{schemeBearer, schemeDPoP}
	if used == schemeDPoP || used == "" && g.cfg.Need.Bound {
		schemes = []string{schemeDPoP, schemeBearer}
	}
	if g.cfg.Need.Bound && used != schemeBearer {
		schemes = schemes[:1]
	}
	var out []string
	for _, s := range schemes {
		params := []string{"realm=" + quote(g.cfg.Audience)}
		if s == schemeDPoP {
			params = append(params, "algs="+quote(algs()))
		}
		if s == used && f.code != "" {
			params = append(append(params, "error="+quote(f.code), "error_description="+quote(f.text)), f.params...)
		}
		out = append(out, s+" "+strings.Join(params, ", "))
	}
	return out
}

func algs() string {
	var names []string
	for _, a := range dpop.Algs() {
		names = append(names, string(a))
	}
	return strings.Join(names, " ")
}

// quote writes a quoted-string (RFC 9110 section 5.6.4).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
