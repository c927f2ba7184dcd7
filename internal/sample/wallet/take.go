package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// TakeOffer does the whole of it: reads the offer, redeems its code, takes the first credential and keeps it.
func (w *Wallet) TakeOffer(ctx context.Context, link, txCode string) (Credential, error) {
	o, err := w.ReadOffer(ctx, link)
	if err != nil {
		return Credential{}, err
	}
	i, err := w.Discover(ctx, o.Issuer)
	if err != nil {
		return Credential{}, err
	}
	t, err := w.Redeem(ctx, i, o, txCode)
	if err != nil {
		return Credential{}, err
	}
	return w.Request(ctx, i, o.ConfigurationIDs[0], t)
}

// Request makes a new key, proves it, asks for a credential, checks what comes and keeps it.
func (w *Wallet) Request(ctx context.Context, i Issuer, configuration string, t Token) (Credential, error) {
	b, err := w.Take(ctx, i, configuration, t, TakeOptions{Copies: 1})
	if err != nil {
		return Credential{}, err
	}
	return b.Copies[0], nil
}

// TakeOptions say how a credential is asked for.
type TakeOptions struct {
	// Copies is how many are asked for, each with a key of its own; 0 is one. The issuer may give fewer.
	Copies int
	// Attestation proves the keys by one key attestation alone instead of by a signature of each (appendix F.3).
	Attestation bool
	// Wait is how long to wait for a deferred credential; 0 is not at all (ErrPending).
	Wait time.Duration
	// Identifier is the Credential Identifier to ask for, when the token gave several; "" is the first.
	Identifier string
}

// Batch is what one Credential Response brought: copies of one credential.
type Batch struct {
	Copies         []Credential
	NotificationID string
}

// Pending is a credential that the issuer has not ready yet. Its keys are with it.
type Pending struct {
	TransactionID string
	// Interval is how long the issuer asks to wait before asking again.
	Interval time.Duration
	Keys     []jose.SigningKey

	configuration string
}

// ErrPending says that the issuer has the credential not ready yet.
var ErrPending = errors.New("wallet: the credential is not ready yet")

// Take asks for copies of one credential, checks what comes and keeps it. When the issuer puts it off for longer than o.Wait, the error is ErrPending
// and a *PendingError.
func (w *Wallet) Take(ctx context.Context, i Issuer, configuration string, t Token, o TakeOptions) (Batch, error) {
	keys := make([]jose.SigningKey, max(o.Copies, 1))
	for n := range keys {
		var err error
		if keys[n], err = w.newKey(); err != nil {
			return Batch{}, err
		}
	}
	proofs, err := w.proofs(ctx, i, configuration, keys, o.Attestation)
	if err != nil {
		return Batch{}, err
	}
	body := map[string]any{"proofs": proofs}
	switch ids := t.identifiers(configuration); {
	case o.Identifier != "":
		body["credential_identifier"] = o.Identifier
	case len(ids) > 0:
		body["credential_identifier"] = ids[0]
	default:
		body["credential_configuration_id"] = configuration
	}
	answer, err := w.credential(ctx, i, i.CredentialEndpoint, t, body)
	if err != nil {
		return Batch{}, err
	}
	return w.finish(ctx, i, t, Pending{Keys: keys, configuration: configuration}, answer, o.Wait)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// PendingError carries what Resume needs.
type PendingError struct{ Pending Pending }

func (e *PendingError) Error() string { return ErrPending.Error() }

// Is makes it an ErrPending.
func (e *PendingError) Is(target error) bool { return target == ErrPending }

// Resume asks for a credential that was put off, for as long as wait allows.
func (w *Wallet) Resume(ctx context.Context, i Issuer, configuration string, t Token, p Pending, wait time.Duration) (Batch, error) {
	p.configuration = configuration
	answer, err := w.deferred(ctx, i, t, p)
	if err != nil {
		return Batch{}, err
	}
	return w.finish(ctx, i, t, p, answer, wait)
}

func (w *Wallet) deferred(ctx context.Context, i Issuer, t Token, p Pending) (credentialAnswer, error) {
	if i.DeferredEndpoint == "" {
		return credentialAnswer{}, fmt.Errorf("%w: it puts credentials off and has no endpoint to ask for them", ErrIssuer)
	}
	return w.credential(ctx, i, i.DeferredEndpoint, t, map[string]any{"transaction_id": p.TransactionID})
}

// finish takes an answer to its end: asks again while the credential is put off, then checks and keeps the copies.
func (w *Wallet) finish(ctx context.Context, i Issuer, t Token, p Pending, answer credentialAnswer, wait time.Duration) (Batch, error) {
	for until := time.Now().Add(wait); answer.status == http.StatusAccepted; {
		if answer.TransactionID == "" || answer.Interval < 1 || p.TransactionID != "" && answer.TransactionID != p.TransactionID {
			return Batch{}, fmt.Errorf("%w: it puts the credential off without saying how to ask again", ErrIssuer)
		}
		p.TransactionID, p.Interval = answer.TransactionID, seconds(answer.Interval)
		if time.Now().Add(p.Interval).After(until) {
			return Batch{}, &PendingError{p}
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-time.After(p.Interval):
		}
		var err error
		if answer, err = w.deferred(ctx, i, t, p); err != nil {
			return Batch{}, err
		}
	}
	c := i.Configurations[p.configuration]
	if len(answer.Credentials) == 0 || len(answer.Credentials) > len(p.Keys) {
		return Batch{}, fmt.Errorf("%w: %d credentials for %d keys", ErrIssuer, len(answer.Credentials), len(p.Keys))
	}
	b := Batch{NotificationID: answer.NotificationID}
	for _, entry := range answer.Credentials {
		b.Copies = append(b.Copies, Credential{Issuer: i.ID, Configuration: p.configuration, Format: c.Format, Type: c.Type(), Text: entry.Credential, ReceivedAt: w.now()})
	}
	if err := w.check(ctx, i, b.Copies, p.Keys); err != nil {
		return Batch{}, err
	}
	w.keep(b.Copies...)
	return b, nil
}

// credentialAnswer is a Credential Response or a Deferred Credential Response.
type credentialAnswer struct {
	Credentials []struct {
		Credential string `json:"credential"`
	} `json:"credentials"`
	NotificationID string `json:"notification_id"`
	TransactionID  string `json:"transaction_id"`
	Interval       int    `json:"interval"`

	status int
}

// credential asks an endpoint for credentials, encrypted when the wallet or the issuer wants it.
func (w *Wallet) credential(ctx context.Context, i Issuer, address string, t Token, body map[string]any) (credentialAnswer, error) {
	var answer credentialAnswer
	open, err := w.wantEncrypted(i, body)
	if err != nil {
		return answer, err
	}
	c := call{address: address, contentType: "application/json", token: t, dpop: t.key, accept: "application/json, application/jwt"}
	if c.body, err = json.Marshal(body); err != nil {
		return answer, fmt.Errorf("wallet: %w", err)
	}
	if open != nil || i.RequestEncryption != nil && i.RequestEncryption.Required {
		if c.body, err = encryptRequest(i, c.body); err != nil {
			return answer, err
		}
		c.contentType = "application/jwt"
	}
	resp, err := w.do(ctx, c)
	if err != nil {
		return answer, err
	}
	plain, err := plaintext(resp, open)
	if err != nil {
		return answer, err
	}
	if err := jose.DecodeStrict(plain, &answer); err != nil {
		return answer, fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	answer.status = resp.Status
	return answer, nil
}

// plaintext opens an answer that was asked for encrypted; one in the clear is then refused.
func plaintext(resp *httpx.Response, open func([]byte) ([]byte, error)) ([]byte, error) {
	if open == nil {
		return resp.Body, nil
	}
	if resp.Header.Get("Content-Type") != "application/jwt" {
		return nil, fmt.Errorf("%w: it answered %q instead of an encrypted response", ErrIssuer, resp.Header.Get("Content-Type"))
	}
	plain, err := open(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: the encrypted response: %w", ErrIssuer, err)
	}
	return plain, nil
}

// Events of the Notification Endpoint (section 11).
const (
	Accepted = "credential_accepted"
	Failed   = "credential_failure"
	Deleted  = "credential_deleted"
)

// Notify tells the issuer what became of a batch. Nothing is told when the issuer gave no notification_id.
func (w *Wallet) Notify(ctx context.Context, i Issuer, t Token, notificationID, event string) error {
	if notificationID == "" || i.NotificationEndpoint == "" {
		return nil
	}
	body, err := json.Marshal(map[string]string{"notification_id": notificationID, "event": event})
	if err != nil {
		return err
	}
	_, err = w.do(ctx, call{address: i.NotificationEndpoint, contentType: "application/json", body: body, token: t, dpop: t.key})
	return err
}
