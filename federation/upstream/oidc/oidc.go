// Package oidc is the connector to a province that is an OpenID Provider.
//
// Everything is pinned to the configured issuer: its discovery document must name it, and every endpoint must lie on its
// origin (or on one that was agreed and configured), because a document that names somebody else's token endpoint would
// hand codes and client assertions to him. Specs: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636, 7523, 9207, 9700.
package oidc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

// ErrConfig is what New's refusals wrap.
var ErrConfig = errors.New("oidc: configuration")

// HTTP is the one safe way out (httpx.Client): guarded addresses, no redirects, bounded time and size. The returned error
// means that no complete answer came.
type HTTP interface {
	Do(req *http.Request) (body []byte, status int, header http.Header, err error)
}

// Config describes one province. The zero value of every option is the strict one.
type Config struct {
	Province    string // six digits
	Issuer      string // exact issuer identifier; https unless AllowHTTP
	ClientID    string // our identifier at the province
	RedirectURI string // our callback for this province and no other

	// Signer signs our client assertions (private_key_jwt) towards this province; one key per province, so that an
	// assertion taken by one is worthless at another.
	Signer func(ctx context.Context) (jose.SigningKey, error)
	HTTP   HTTP

	// Levels maps the province's acr values to national levels. A value that is not listed, or none, is LevelNone's
	// neighbour loa1: a province cannot raise somebody by inventing a word.
	Levels map[string]upstream.Level

	Scopes         []string   // default openid, profile, phone, resident_id
	Algs           []jose.Alg // accepted for id_tokens; default ES256, ES384, PS256, RS256, EdDSA
	ClaimNames     ClaimNames // where the province's names differ from ours
	ForeignOrigins []string   // further origins that its endpoints may lie on

	AllowHTTP             bool // `hufu dev` only: loopback provinces without TLS
	AllowMissingIssParam  bool // an old province that can't send `iss` in its response (RFC 9207)
	Now                   func() time.Time
	MaxAge                time.Duration // of id_tokens by iat; default 10 min
	Leeway                time.Duration // clock difference; default 60 s
	DiscoveryTTL, JWKSTTL time.Duration // default 1 h and 15 min
}

// ClaimNames names the claims of a province; an empty name means the usual one.
type ClaimNames struct{ Name, Birthdate, Gender, PhoneNumber, ResidentID string }
