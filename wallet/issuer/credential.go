package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/deliver"
	"github.com/hufu-id/hufu/wallet/issuer/envelope"
	"github.com/hufu-id/hufu/wallet/issuer/request"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// visit is a request with a valid access token at an endpoint of an authority.
type visit struct {
	authority *catalog.Entry
	token     AccessToken
}

// admit finds the authority and checks the token, or answers why not.
func (i *Issuer) admit(w http.ResponseWriter, r *http.Request) (v visit, ok bool) {
	if v.authority, ok = i.authority(w, r); !ok {
		return v, false
	}
	bearer, err := bearerToken(r)
	if err != nil {
		writeUnauthorized(w, err)
		return v, false
	}
	v.token, err = i.cfg.Tokens.Validate(r.Context(), bearer, v.authority.Identifier)
	switch {
	case errors.Is(err, ErrInvalidToken):
		writeUnauthorized(w, ErrInvalidToken)
	case err != nil:
		wire.Fault(i.cfg.Log, w, r, err)
	}
	return v, err == nil
}

// serveCredential is the Credential Endpoint (section 8).
func (i *Issuer) serveCredential(w http.ResponseWriter, r *http.Request) {
	i.serveIssuance(w, r, func(ctx context.Context, v visit, body []byte) (json.RawMessage, func() (deliver.Result, error), error) {
		req, err := request.Parse(body, max(i.cfg.BatchSize, 1))
		return req.Encryption, func() (deliver.Result, error) { return i.desk.Issue(ctx, v.authority, v.token, req) }, err
	})
}

// serveDeferred is the Deferred Credential Endpoint (section 9). Encryption is as this request says, whatever the first one said.
func (i *Issuer) serveDeferred(w http.ResponseWriter, r *http.Request) {
	i.serveIssuance(w, r, func(ctx context.Context, v visit, body []byte) (json.RawMessage, func() (deliver.Result, error), error) {
		req, err := request.ParseDeferred(body)
		return req.Encryption, func() (deliver.Result, error) { return i.desk.Deferred(ctx, v.authority, v.token, req.TransactionID) }, err
	})
}

// serveIssuance is what both endpoints share: read parses a body into its credential_response_encryption and what to do.
func (i *Issuer) serveIssuance(w http.ResponseWriter, r *http.Request, read func(context.Context, visit, []byte) (json.RawMessage, func() (deliver.Result, error), error)) {
	v, ok := i.admit(w, r)
	if !ok {
		return
	}
	body, mediaType, ok := wire.ReadBody(w, r, request.MaxBytes, "invalid_credential_request", i.mediaTypes()...)
	if !ok {
		return
	}
	encrypted := mediaType == wire.JWT
	var out deliver.Result
	var sealer *envelope.Sealer
	body, err := i.open(r.Context(), body, encrypted)
	if err == nil {
		var encryption json.RawMessage
		var do func() (deliver.Result, error)
		if encryption, do, err = read(r.Context(), v, body); err == nil {
			if sealer, err = i.sealer(encryption, encrypted); err == nil {
				out, err = do()
			}
		}
	}
	if err != nil {
		i.refuse(w, r, v.authority, v.token, err)
		return
	}
	if err := writeResult(w, out, sealer); err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
	}
}

func (i *Issuer) mediaTypes() []string {
	if i.cfg.Decrypter == nil {
		return []string{wire.JSON}
	}
	return []string{wire.JSON, wire.JWT}
}

// open returns the plain text of a request.
func (i *Issuer) open(ctx context.Context, body []byte, encrypted bool) ([]byte, error) {
	switch {
	case !encrypted && i.cfg.EncryptRequests && i.cfg.Decrypter != nil:
		return nil, envelope.ErrOpen
	case !encrypted:
		return body, nil
	}
	d, err := i.cfg.Decrypter(ctx)
	if err != nil {
		return nil, err
	}
	return envelope.Open(d, body)
}

// sealer says how the response is encrypted; nil: not at all. Who could change a request in the clear could put in a key of their own.
func (i *Issuer) sealer(raw json.RawMessage, encrypted bool) (*envelope.Sealer, error) {
	switch {
	case raw == nil && i.cfg.EncryptResponses && i.cfg.Decrypter != nil, raw != nil && (!encrypted || i.cfg.Decrypter == nil):
		return nil, envelope.ErrParameters
	case raw == nil:
		return nil, nil
	}
	return envelope.ParseSealer(raw)
}

// issued is a Credential Response (section 8.3).
type issued struct {
	Credentials    []issuedCredential `json:"credentials,omitempty"`
	NotificationID string             `json:"notification_id,omitempty"`
	TransactionID  string             `json:"transaction_id,omitempty"`
	Interval       int64              `json:"interval,omitempty"`
}

type issuedCredential struct {
	Credential string `json:"credential"`
}

func writeResult(w http.ResponseWriter, out deliver.Result, sealer *envelope.Sealer) error {
	status := http.StatusOK
	answer := issued{NotificationID: out.NotificationID, TransactionID: out.TransactionID, Interval: int64(out.Interval / time.Second)}
	for _, c := range out.Credentials {
		answer.Credentials = append(answer.Credentials, issuedCredential{c})
	}
	if out.TransactionID != "" {
		status = http.StatusAccepted
	}
	if sealer == nil {
		httpx.WriteJSON(w, status, answer)
		return nil
	}
	plain, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	token, err := sealer.Seal(plain)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", wire.JWT)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, token)
	return nil
}

// serveNotification is the Notification Endpoint (section 11).
func (i *Issuer) serveNotification(w http.ResponseWriter, r *http.Request) {
	const invalid = "invalid_notification_request"
	v, ok := i.admit(w, r)
	if !ok {
		return
	}
	body, _, ok := wire.ReadBody(w, r, 16<<10, invalid, wire.JSON)
	if !ok {
		return
	}
	n, err := request.ParseNotification(body)
	if err == nil {
		err = i.desk.Notify(r.Context(), v.authority, v.token, n.ID, n.Event, n.Description)
	}
	switch {
	case errors.Is(err, request.ErrNotification):
		wire.WriteError(w, http.StatusBadRequest, invalid, describe(err))
	case errors.Is(err, ErrUnknownNotification):
		wire.WriteError(w, http.StatusBadRequest, "invalid_notification_id", "this authorization was given no such notification_id")
	case err != nil:
		wire.Fault(i.cfg.Log, w, r, err)
	default:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
}

var errNoToken = errors.New("issuer: no access token")

// bearerToken takes the access token from the Authorization header, and from nowhere else: one in the query ends in logs and
// histories, so it is refused even when the header has one too.
func bearerToken(r *http.Request) (string, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || q.Has("access_token") {
		return "", ErrInvalidToken
	}
	if len(r.Header.Values("Authorization")) == 0 {
		return "", errNoToken
	}
	token, ok := httpx.AccessToken(r)
	if !ok || len(token) > 8<<10 {
		return "", ErrInvalidToken
	}
	return token, nil
}

// writeUnauthorized answers as RFC 6750 section 3: without an error when the request tried nothing.
func writeUnauthorized(w http.ResponseWriter, err error) {
	challenge := `Bearer realm="credential"`
	code, description := "invalid_token", "send the access token in the Authorization header as Bearer"
	if !errors.Is(err, errNoToken) {
		description = "the access token is not valid here: unknown, expired, for another issuer, or not sent as Bearer in the header"
		challenge += `, error="invalid_token", error_description="` + description + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	wire.WriteError(w, http.StatusUnauthorized, code, description)
}
