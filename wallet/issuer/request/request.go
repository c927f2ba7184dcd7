// Package request reads what a wallet sends to the Credential Endpoint, and believes nothing of it: the Credential Request, its key
// proof and the nonce in that (OpenID4VCI 1.0 sections 7 and 8, appendix F).
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
	// Proof is the one key proof; empty when the request has none.
	Proof string
	// Encryption says that the wallet wants an encrypted answer.
	Encryption bool
}

// ErrRequest says that a Credential Request is wrong in shape. A wrong shape of its proofs is ErrProof.
var ErrRequest = errors.New("request: credential request not valid")

// Parse reads a Credential Request. Members that we don't know are ignored, as the specification wants. It decodes
// into a map because encoding/json would also take "Proofs" for "proofs". ErrRequest, ErrProof.
func Parse(body []byte) (Credential, error) {
	var m map[string]json.RawMessage
	if len(body) > MaxBytes {
		return Credential{}, fmt.Errorf("%w: larger than %d bytes", ErrRequest, MaxBytes)
	}
	if err := jose.DecodeStrict(body, &m); err != nil {
		return Credential{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if m == nil {
		return Credential{}, fmt.Errorf("%w: not a JSON object", ErrRequest)
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
	_, req.Encryption = m["credential_response_encryption"]
	if _, old := m["proof"]; old {
		return req, fmt.Errorf("%w: proof is from a draft; send proofs {\"jwt\":[...]}", ErrProof)
	}
	if raw, present := m["proofs"]; present {
		var err error
		if req.Proof, err = parseProofs(raw); err != nil {
			return req, err
		}
	}
	return req, nil
}

// parseProofs reads proofs: one member, named jwt, with one proof.
func parseProofs(raw json.RawMessage) (string, error) {
	var types map[string]json.RawMessage
	if err := json.Unmarshal(raw, &types); err != nil || len(types) != 1 {
		return "", fmt.Errorf("%w: proofs must be an object with exactly one member", ErrProof)
	}
	list, ok := types["jwt"]
	if !ok {
		return "", fmt.Errorf("%w: only proofs of type jwt are supported", ErrProof)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(list, &items); err != nil || len(items) == 0 {
		return "", fmt.Errorf("%w: proofs.jwt must be a list that is not empty", ErrProof)
	}
	if len(items) > 1 {
		// One bad proof among several, or two with one key, never comes up; nor does a status index that nobody uses.
		return "", fmt.Errorf("%w: this issuer takes one proof in a request, %d were sent; batches are not offered", ErrRequest, len(items))
	}
	var proof string
	if !Text(items[0], &proof) {
		return "", fmt.Errorf("%w: a proof must be a string", ErrProof)
	}
	return proof, nil
}

// Text decodes a JSON string that is not empty. json.Unmarshal alone would take null for "".
func Text(raw json.RawMessage, to *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil && *to != ""
}
