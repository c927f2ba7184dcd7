// Package wire has the shapes of a trust bundle's parts, their names, and the zip that carries them. It trusts and
// signs nothing.
package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Authority is the nation's record of an issuing authority. Times are RFC 3339 in UTC, here and below.
type Authority struct {
	ID         string            `json:"id"`
	Code       string            `json:"code"`
	Name       map[string]string `json:"name,omitempty"`
	Authorised []Authorisation   `json:"authorised"`
}

// Authorisation is one type that an authority may issue.
type Authorisation struct {
	VCT     string     `json:"vct"`
	DocType string     `json:"doc_type,omitempty"`
	Region  string     `json:"region,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
}

// Issuer is an authority's own record. It has no field for anything that only the nation may say.
type Issuer struct {
	Code         string    `json:"code"`
	Certificates [][]byte  `json:"certificates,omitempty"`
	Revoked      []Revoked `json:"revoked,omitempty"`
}

// Revoked is a key that its authority withdrew.
type Revoked struct {
	Thumbprint    string    `json:"thumbprint"`
	CompromisedAt time.Time `json:"compromised_at"`
}

// Seals are the seals that an authority made, in its own words.
type Seals struct {
	Code  string `json:"code"`
	Seals []Seal `json:"seals"`
}

// Seal is one seal with its history, oldest first.
type Seal struct {
	ID string `json:"id"`
	// PayloadSHA256 is hex, of the payload of the seal's credential.
	PayloadSHA256 string      `json:"payload_sha256"`
	History       []SealState `json:"history"`
}

// SealState is one state of a seal.
type SealState struct {
	State       string    `json:"state"`
	EffectiveAt time.Time `json:"effective_at"`
	RecordedAt  time.Time `json:"recorded_at"`
}

// Policy is the federation's advice to verifiers: seconds by vct, "" for all others.
type Policy struct {
	StatusMaxAge map[string]int64 `json:"status_max_age,omitempty"`
}

// Notes beside a target's hash, signed with it.
type (
	// AnchorNote says what chains may end at the certificate.
	AnchorNote struct {
		Purpose string `json:"purpose"`
	}
	// TypeNote names the type that the metadata describes.
	TypeNote struct {
		VCT string `json:"vct"`
	}
	// ListNote names the status list.
	ListNote struct {
		URI string `json:"uri"`
	}
	// ImageNote names the picture as type metadata do.
	ImageNote struct {
		URI string `json:"uri"`
	}
)

// PolicyPath is where the policy lies.
const PolicyPath = "policy.json"

// AuthorityPath is where the nation's record of an authority lies.
func AuthorityPath(code string) string { return "authorities/" + code + ".json" }

// IssuerPath is where an authority's own record lies.
func IssuerPath(code string) string { return "issuers/" + code + "/issuer.json" }

// SealsPath is where the seals of an authority lie.
func SealsPath(code string) string { return "issuers/" + code + "/seals.json" }

// AnchorPath is where an anchor's certificate lies.
func AnchorPath(purpose string, der []byte) string {
	return "anchors/" + purpose + "-" + Hash(der)[:32] + ".cer"
}

// TypePath is where the metadata of a type lies.
func TypePath(vct string) string { return "types/" + Hash([]byte(vct)) + ".json" }

// ListPath is where the token of a status list lies.
func ListPath(uri string) string { return "status/" + Hash([]byte(uri)) + ".jwt" }

// CWTListPath is where the same list lies as a CBOR web token.
func CWTListPath(uri string) string { return "status-cwt/" + Hash([]byte(uri)) + ".cwt" }

// ImagePath is where a picture lies.
func ImagePath(uri string) string { return "images/" + Hash([]byte(uri)) + ".img" }

// PlainName limits what becomes part of a path or role name: letters, digits and hyphens, so that no code can climb
// out of its folder.
func PlainName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-') {
			return false
		}
	}
	return true
}

// JSON encodes our own shapes, which can't fail.
func JSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Hash is the hex SHA-256.
func Hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Integrity is the W3C Subresource Integrity form, as in vct#integrity.
func Integrity(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(h[:])
}

// Instant is the wire form of a time: none for the zero time.
func Instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

// Time is the inverse of Instant.
func Time(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
