// Package oauth is the vocabulary of protocol errors and their one writer: what our own packages report by sentinels becomes one of
// these at the edge, and everything else is told as server_error without detail.
package oauth

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
)

// Code is an error code of OAuth 2.0, OpenID Connect or one of their extensions.
type Code string

// Codes of the authorization endpoint (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6, OpenID Connect Unmet Authentication Requirements 1.0).
const (
	InvalidRequest          Code = "invalid_request"
	UnauthorizedClient      Code = "unauthorized_client"
	AccessDenied            Code = "access_denied"
	UnsupportedResponseType Code = "unsupported_response_type"
	InvalidScope            Code = "invalid_scope"
	ServerError             Code = "server_error"
	LoginRequired           Code = "login_required"
	ConsentRequired         Code = "consent_required"
	InteractionRequired     Code = "interaction_required"
	RequestNotSupported     Code = "request_not_supported"
	RequestURINotSupported  Code = "request_uri_not_supported"
	RegistrationUnsupported Code = "registration_not_supported"
	UnmetAuthentication     Code = "unmet_authentication_requirements"
	InvalidRequestObject    Code = "invalid_request_object"        // OpenID Connect Core 3.1.2.6, RFC 9101 section 7
	InvalidRequestURI       Code = "invalid_request_uri"           // the same
	InvalidTarget           Code = "invalid_target"                // RFC 8707 section 2
	InvalidDetails          Code = "invalid_authorization_details" // RFC 9396 section 5
)

// Codes of the token endpoint and of protected resources (RFC 6749 5.2, RFC 6750 3.1).
const (
	InvalidClient        Code = "invalid_client"
	InvalidGrant         Code = "invalid_grant"
	UnsupportedGrantType Code = "unsupported_grant_type"
	InvalidToken         Code = "invalid_token"
	InsufficientScope    Code = "insufficient_scope"
	InvalidDPoPProof     Code = "invalid_dpop_proof" // RFC 9449 section 5
	UseDPoPNonce         Code = "use_dpop_nonce"     // RFC 9449 section 8

	// Of clients that prove themselves by an attestation (draft-ietf-oauth-attestation-based-client-auth).
	UseAttestationChallenge  Code = "use_attestation_challenge"
	UseFreshAttestation      Code = "use_fresh_attestation"
	InvalidClientAttestation Code = "invalid_client_attestation"
)

// Error is an answer of the protocol. Description is for the client's developer: fixed text, never text from the request.
type Error struct {
	Code        Code
	Description string
	// Status of a direct answer; 0 means 400. Redirects have none.
	Status int
	// Cause is for the log.
	Cause error
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Description
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error.
func New(code Code, description string) *Error { return &Error{Code: code, Description: description} }

// Because makes an error with a cause for the log.
func Because(code Code, description string, cause error) *Error {
	return &Error{Code: code, Description: description, Cause: cause}
}

// Write answers a request that a program sent, with an error_uri where WithIssuer was called. An error that is no *Error is our fault: it is logged and told as server_error.
func Write(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	var e *Error
	if !errors.As(err, &e) {
		log.ErrorContext(r.Context(), "endpoint failed", "trace", audit.Trace(r.Context()), "path", r.URL.Path, "error", err)
		e = &Error{Code: ServerError, Description: "quote " + audit.Trace(r.Context()), Status: http.StatusInternalServerError}
	} else {
		log.InfoContext(r.Context(), "request refused", "trace", audit.Trace(r.Context()), "path", r.URL.Path, "error", err)
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	// Only who came with the header is asked for it (RFC 6749 section 5.2): libraries hide the error behind a challenge.
	if e.Code == InvalidClient && status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="hufu"`)
	}
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1
	e.Record(r.Context())
	answer := map[string]string{"error": string(e.Code), "error_description": e.Description}
	issuer, _ := r.Context().Value(issuerKey{}).(string)
	if uri := e.URI(issuer); uri != "" {
		answer["error_uri"] = uri
	}
	httpx.WriteJSON(w, status, answer)
}

// FromForm turns an error of reading a form into an answer.
func FromForm(err error) error {
	switch {
	case errors.Is(err, httpx.ErrContentType):
		return &Error{Code: InvalidRequest, Description: "the body must be application/x-www-form-urlencoded", Status: http.StatusUnsupportedMediaType, Cause: err}
	case errors.Is(err, httpx.ErrTooLarge):
		return &Error{Code: InvalidRequest, Description: "the body is too large", Status: http.StatusRequestEntityTooLarge, Cause: err}
	case errors.Is(err, httpx.ErrDuplicateParameter):
		return Because(InvalidRequest, "a parameter was sent more than once", err)
	}
	return Because(InvalidRequest, "the parameters are malformed", err)
}
