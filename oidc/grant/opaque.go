package grant

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
)

// OpaqueTokens makes and reads access tokens that say nothing to whoever holds them: the facts of an access token, sealed. Nothing is stored, and an
// API asks the introspection endpoint. Safe for concurrent use.
type OpaqueTokens struct{ Sealer *httpx.Sealer }

const (
	opaquePurpose = "oidc.access_token"
	maxOpaque     = 8 << 10
)

// sealed is what an opaque token holds; times are Unix seconds.
type sealed struct {
	Grant    string   `json:"g"`
	JTI      string   `json:"j"`
	Subject  string   `json:"s"`
	Client   string   `json:"c,omitempty"`
	Scopes   []string `json:"o,omitempty"`
	Audience []string `json:"a"`
	JKT      string   `json:"k,omitempty"`
	Cert     string   `json:"x,omitempty"`
	Details  []string `json:"d,omitempty"` // marks of those of the grant's that the token is for
	Issued   int64    `json:"i"`
	Expires  int64    `json:"e"`
}

// Make seals a token that was recorded.
func (o OpaqueTokens) Make(t AccessToken) (string, error) {
	return o.Sealer.Seal(opaquePurpose, sealed{Grant: t.GrantID, JTI: t.JTI, Subject: t.Subject, Client: t.ClientID, Scopes: t.Scopes, Audience: t.Audience,
		JKT: t.JKT, Cert: t.CertThumbprint, Details: marks(t.Details), Issued: t.IssuedAt.Unix(), Expires: t.ExpiresAt.Unix()})
}

// marks names elements of authorization_details shortly: a token must fit into a header.
func marks(details []json.RawMessage) []string {
	var out []string
	for _, d := range details {
		sum := sha256.Sum256(d)
		out = append(out, base64.RawURLEncoding.EncodeToString(sum[:12]))
	}
	return out
}

// marked finds the elements again.
func marked(details []json.RawMessage, names []string) []json.RawMessage {
	var out []json.RawMessage
	for i, name := range marks(details) {
		if slices.Contains(names, name) {
			out = append(out, details[i])
		}
	}
	return out
}

// parse opens a token and checks its time.
func (o OpaqueTokens) parse(token string, at time.Time) (AccessToken, error) {
	var s sealed
	// The decoder skips line feeds: one token has one spelling (N08).
	if o.Sealer == nil || len(token) > maxOpaque || strings.ContainsAny(token, "\r\n") {
		return AccessToken{}, httpx.ErrSeal
	}
	if err := o.Sealer.Open(opaquePurpose, token, &s); err != nil {
		return AccessToken{}, err
	}
	t := AccessToken{GrantID: s.Grant, JTI: s.JTI, Subject: s.Subject, ClientID: s.Client, Scopes: s.Scopes, Audience: s.Audience, JKT: s.JKT,
		CertThumbprint: s.Cert, marks: s.Details, IssuedAt: time.Unix(s.Issued, 0), ExpiresAt: time.Unix(s.Expires, 0)}
	if !at.Before(t.ExpiresAt) {
		return AccessToken{}, errors.New("expired")
	}
	return t, nil
}
