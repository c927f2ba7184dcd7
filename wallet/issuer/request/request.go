// Package request reads what a wallet sends to the Credential Endpoint, and believes nothing of it: requests, key
// proofs and the nonce in those (OpenID4VCI 1.0 sections 7 to 11, appendix F).
package request

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
)

// MaxBytes limits a Credential Request.
const MaxBytes = 64 << 10

// Credential is a Credential Request (section 8.2) whose shape was checked.
type Credential struct {
	// One of the two is set.
	ConfigurationID, Identifier string
	Proofs                      Proofs
	// Encryption is credential_response_encryption as it was sent; nil when it was not.
	Encryption json.RawMessage
}

// Proofs are key proofs of one type; the zero Proofs are none.
type Proofs struct {
	// JWT are proofs of type jwt. Attestation is the one of type attestation.
	JWT         []string
	Attestation string
}

// Deferred is a Deferred Credential Request (section 9.1).
type Deferred struct {
	TransactionID string
	Encryption    json.RawMessage
}

// Notification is a Notification Request (section 11.1).
type Notification struct {
	// ID is the notification_id, Event one of the three.
	ID, Event, Description string
}

// Events of notifications.
const (
	Accepted = "credential_accepted"
	Failure  = "credential_failure"
	Deleted  = "credential_deleted"
)

var (
	// ErrRequest says that a Credential Request is wrong in shape. A wrong shape of its proofs is ErrProof.
	ErrRequest = errors.New("request: credential request not valid")
	// ErrNotification says that a Notification Request is wrong in shape.
	ErrNotification = errors.New("request: notification request not valid")
)

// members reads a JSON object. Members that we don't know are ignored, as the specification wants. It decodes into a map because encoding/json would
// also take "Proofs" for "proofs".
func members(body []byte, kind error) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if len(body) > MaxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", kind, MaxBytes)
	}
	if err := jose.DecodeStrict(body, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", kind, err)
	}
	if m == nil {
		return nil, fmt.Errorf("%w: not a JSON object", kind)
	}
	return m, nil
}

// Parse reads a Credential Request with up to batch proofs. ErrRequest, ErrProof.
func Parse(body []byte, batch int) (Credential, error) {
	m, err := members(body, ErrRequest)
	if err != nil {
		return Credential{}, err
	}
	var req Credential
	_, hasConfiguration := m["credential_configuration_id"]
	_, hasIdentifier := m["credential_identifier"]
	switch {
	case hasConfiguration == hasIdentifier:
		return req, fmt.Errorf("%w: exactly one of credential_configuration_id and credential_identifier must be sent", ErrRequest)
	case hasConfiguration:
		if !Text(m["credential_configuration_id"], &req.ConfigurationID) {
			return req, fmt.Errorf("%w: credential_configuration_id must be a string", ErrRequest)
		}
	default:
		if !Text(m["credential_identifier"], &req.Identifier) {
			return req, fmt.Errorf("%w: credential_identifier must be a string", ErrRequest)
		}
	}
	req.Encryption = m["credential_response_encryption"]
	if _, old := m["proof"]; old {
		return req, fmt.Errorf("%w: proof is from a draft; send proofs {\"jwt\":[...]}", ErrProof)
	}
	if raw, present := m["proofs"]; present {
		if req.Proofs, err = parseProofs(raw, batch); err != nil {
			return req, err
		}
	}
	return req, nil
}

// parseProofs reads proofs: one member, jwt with up to batch proofs or attestation with one.
func parseProofs(raw json.RawMessage, batch int) (Proofs, error) {
	var types map[string]json.RawMessage
	if err := json.Unmarshal(raw, &types); err != nil || len(types) != 1 {
		return Proofs{}, fmt.Errorf("%w: proofs must be an object with exactly one member", ErrProof)
	}
	for name, list := range types {
		var items []json.RawMessage
		if name != "jwt" && name != "attestation" {
			return Proofs{}, fmt.Errorf("%w: only proofs of type jwt and attestation are supported", ErrProof)
		}
		if err := json.Unmarshal(list, &items); err != nil || len(items) == 0 {
			return Proofs{}, fmt.Errorf("%w: proofs of type %s must be a list that is not empty", ErrProof, name)
		}
		if len(items) > batch {
			return Proofs{}, fmt.Errorf("%w: this issuer takes up to %d proofs in a request, %d were sent", ErrRequest, batch, len(items))
		}
		texts := make([]string, len(items))
		for n, item := range items {
			if !Text(item, &texts[n]) {
				return Proofs{}, fmt.Errorf("%w: a proof must be a string", ErrProof)
			}
		}
		if name == "jwt" {
			return Proofs{JWT: texts}, nil
		}
		if len(texts) > 1 {
			return Proofs{}, fmt.Errorf("%w: proofs of type attestation hold exactly one", ErrProof)
		}
		return Proofs{Attestation: texts[0]}, nil
	}
	panic("unreachable")
}

// ParseDeferred reads a Deferred Credential Request. ErrRequest.
func ParseDeferred(body []byte) (Deferred, error) {
	m, err := members(body, ErrRequest)
	if err != nil {
		return Deferred{}, err
	}
	req := Deferred{Encryption: m["credential_response_encryption"]}
	if !Text(m["transaction_id"], &req.TransactionID) {
		return req, fmt.Errorf("%w: transaction_id must be a string", ErrRequest)
	}
	return req, nil
}

// ParseNotification reads a Notification Request. ErrNotification.
func ParseNotification(body []byte) (Notification, error) {
	m, err := members(body, ErrNotification)
	if err != nil {
		return Notification{}, err
	}
	var n Notification
	if !Text(m["notification_id"], &n.ID) {
		return n, fmt.Errorf("%w: notification_id must be a string", ErrNotification)
	}
	if !Text(m["event"], &n.Event) || n.Event != Accepted && n.Event != Failure && n.Event != Deleted {
		return n, fmt.Errorf("%w: event must be %s, %s or %s", ErrNotification, Accepted, Failure, Deleted)
	}
	raw, present := m["event_description"]
	if present && (len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &n.Description) != nil || !describes(n.Description)) {
		return n, fmt.Errorf("%w: event_description must be printable ASCII without quotes", ErrNotification)
	}
	return n, nil
}

// describes says whether a text may be an event_description.
func describes(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Text decodes a JSON string that is not empty. json.Unmarshal alone would take null for "".
func Text(raw json.RawMessage, to *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil && *to != ""
}
