package issuer

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
)

// maxRequestBytes limits a Credential Request.
const maxRequestBytes = 64 << 10

// credentialRequest is a Credential Request (section 8.2) whose shape was checked.
type credentialRequest struct {
	// One of the two is set.
	configurationID, identifier string
	// proof is the one key proof; empty when the request has none.
	proof string
	// encryption says that the wallet wants an encrypted answer.
	encryption bool
}

var (
	errRequest = errors.New("issuer: credential request not valid")
	// errProofs: the proofs member is there and wrong in shape.
	errProofs = errors.New("issuer: proofs not valid")
)

// parseRequest reads a Credential Request. Members that we don't know are ignored, as the specification wants. It decodes
// into a map because encoding/json would also take "Proofs" for "proofs".
func parseRequest(body []byte) (credentialRequest, error) {
	var m map[string]json.RawMessage
	if len(body) > maxRequestBytes {
		return credentialRequest{}, fmt.Errorf("%w: larger than %d bytes", errRequest, maxRequestBytes)
	}
	if err := jose.DecodeStrict(body, &m); err != nil {
		return credentialRequest{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	if m == nil {
		return credentialRequest{}, fmt.Errorf("%w: not a JSON object", errRequest)
	}
	var req credentialRequest
	_, hasConfiguration := m["credential_configuration_id"]
	_, hasIdentifier := m["credential_identifier"]
	switch {
	case hasConfiguration == hasIdentifier:
		return req, fmt.Errorf("%w: exactly one of credential_configuration_id and credential_identifier must be sent", errRequest)
	case hasConfiguration:
		if !text(m["credential_configuration_id"], &req.configurationID) {
			return req, fmt.Errorf("%w: credential_configuration_id must be a string", errRequest)
		}
	default:
		if !text(m["credential_identifier"], &req.identifier) {
			return req, fmt.Errorf("%w: credential_identifier must be a string", errRequest)
		}
	}
	_, req.encryption = m["credential_response_encryption"]
	if _, old := m["proof"]; old {
		return req, fmt.Errorf("%w: proof is from a draft; send proofs {\"jwt\":[...]}", errProofs)
	}
	if raw, present := m["proofs"]; present {
		var err error
		if req.proof, err = parseProofs(raw); err != nil {
			return req, err
		}
	}
	return req, nil
}

// parseProofs reads proofs: one member, named jwt, with one proof.
func parseProofs(raw json.RawMessage) (string, error) {
	var types map[string]json.RawMessage
	if err := json.Unmarshal(raw, &types); err != nil || len(types) != 1 {
		return "", fmt.Errorf("%w: proofs must be an object with exactly one member", errProofs)
	}
	list, ok := types["jwt"]
	if !ok {
		return "", fmt.Errorf("%w: only proofs of type jwt are supported", errProofs)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(list, &items); err != nil || len(items) == 0 {
		return "", fmt.Errorf("%w: proofs.jwt must be a list that is not empty", errProofs)
	}
	if len(items) > 1 {
		// One bad proof among several, or two with one key, never comes up; nor does a status index that nobody uses.
		return "", fmt.Errorf("%w: this issuer takes one proof in a request, %d were sent; batches are not offered", errRequest, len(items))
	}
	var proof string
	if !text(items[0], &proof) {
		return "", fmt.Errorf("%w: a proof must be a string", errProofs)
	}
	return proof, nil
}

// text decodes a JSON string that is not empty. json.Unmarshal alone would take null for "".
func text(raw json.RawMessage, to *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil && *to != ""
}
