package issuer

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/deliver"
	"github.com/hufu-id/hufu/wallet/issuer/envelope"
	"github.com/hufu-id/hufu/wallet/issuer/format"
	"github.com/hufu-id/hufu/wallet/issuer/request"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// refusal is how one kind of error looks on the wire (section 8.3.1.2).
type refusal struct {
	is   error
	code string
	// description is the error's own text when empty. It is only empty for errors whose text is about the form of the request.
	description string
	// reason is the audit's word; empty when the refusal is not audited: bad input of a wallet is logged, law is audited.
	reason string
}

var refusals = []refusal{
	{is: request.ErrNonce, code: "invalid_nonce", description: "the nonce is unknown, of another issuer, or too old; ask the nonce endpoint for a new one"},
	{is: ErrNonceUsed, code: "invalid_nonce", description: "the nonce was used before; ask the nonce endpoint for a new one"},
	{is: request.ErrProof, code: "invalid_proof"},
	{is: request.ErrRequest, code: "invalid_credential_request"},
	{is: deliver.ErrUnknownConfiguration, code: "unknown_credential_configuration", description: "this issuer has no such credential configuration"},
	{is: deliver.ErrUnknownIdentifier, code: "unknown_credential_identifier", description: "this authorization has no such credential identifier"},
	{is: envelope.ErrOpen, code: "invalid_encryption_parameters"},
	{is: envelope.ErrParameters, code: "invalid_encryption_parameters", description: "credential_response_encryption is not valid, or missing, or was sent in a request that is not encrypted"},
	{is: ErrUnknownTransaction, code: "invalid_transaction_id", description: "this authorization was given no such transaction_id, or it was used"},
	{is: deliver.ErrRefused, code: "credential_request_denied", description: denied, reason: "refused_by_authority"},
	{is: format.ErrNoForm, code: "credential_request_denied", description: "this licence has no such form until it is renewed", reason: "no_form"},
	{is: ErrNoLicence, code: "credential_request_denied", description: denied, reason: "no_licence"},
	{is: ErrUnknownOffer, code: "credential_request_denied", description: denied, reason: "unknown_offer"},
	{is: ErrNotInForce, code: "credential_request_denied", description: denied, reason: "not_in_force"},
	{is: ErrPersonInactive, code: "credential_request_denied", description: denied, reason: "person_inactive"},
	{is: ErrLevelTooLow, code: "credential_request_denied", description: "the person is not identified at the level that this credential requires", reason: "level_too_low"},
	{is: ErrGrantExhausted, code: "credential_request_denied", description: "this authorization has given all the credentials that it can; start again", reason: "grant_exhausted"},
}

const denied = "there is no licence in force that can be issued for this authorization"

// refuse answers why a Credential Request got no credential.
func (i *Issuer) refuse(w http.ResponseWriter, r *http.Request, a *catalog.Entry, token AccessToken, err error) {
	if errors.Is(err, deliver.ErrScope) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="credential", error="insufficient_scope"`)
		wire.WriteError(w, http.StatusForbidden, "insufficient_scope", "the access token has no scope for this credential")
		return
	}
	for _, f := range refusals {
		if !errors.Is(err, f.is) {
			continue
		}
		i.cfg.Log.InfoContext(r.Context(), "issuer: refused", slog.String("trace", audit.Trace(r.Context())),
			slog.String("issuer", a.Code), slog.String("error", f.code), slog.String("cause", err.Error()))
		if f.reason != "" && !i.auditRefusal(w, r, a, token, f) {
			return
		}
		if f.description == "" {
			f.description = describe(err)
		}
		wire.WriteError(w, http.StatusBadRequest, f.code, f.description)
		return
	}
	wire.Fault(i.cfg.Log, w, r, err)
}

func (i *Issuer) auditRefusal(w http.ResponseWriter, r *http.Request, a *catalog.Entry, token AccessToken, f refusal) bool {
	err := i.cfg.Store.Audit(r.Context(), audit.Event{Kind: "issuer.credential_denied", Actor: deliver.Actor(token, token.PersonID),
		Subject: a.Code, Client: token.ClientID, Detail: map[string]string{"reason": f.reason}})
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return false
	}
	return true
}

// describe shortens an error's text to what error_description may hold: printable ASCII without quotes (RFC 6749 section 5.2).
func describe(err error) string {
	text := []byte(err.Error())
	for n, c := range text {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			text[n] = '\''
		}
	}
	const most = 200
	return string(text[:min(len(text), most)])
}
