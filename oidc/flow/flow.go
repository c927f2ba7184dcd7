// Package flow keeps the state of a login between its steps, in a sealed cookie of the browser that started it.
//
// Nothing is written to the database before somebody has logged in: a million abandoned starts cost nothing. A flow can't be
// carried to another browser, because its cookie can't; and several tabs don't disturb each other, because each flow has its own.
package flow

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/hufu-id/hufu/web"
)

// ErrNone: this browser has no such flow, or it is too old.
var ErrNone = errors.New("flow: none")

// Info is what the login step may know of a flow: registered names, never text from a request.
type Info struct {
	ClientName, ServiceName web.Text
	// RequiredACR is the level that the login must reach, "" for any.
	RequiredACR string
	// ClientOrigin is where the browser goes after the login, for the form-action of pages on the way.
	ClientOrigin string
	// Fresh asks for a new proof of the person at the province (prompt=login, max_age): not an old session there.
	Fresh bool
	// About is what the client registered of itself.
	About web.About
	// LoginHint is login_hint as sent, for preselection only.
	LoginHint string
}

// State is a checked authorization request on its way, or (ClientID "") a login for one of our own pages.
type State struct {
	ID        string    `json:"i"`
	CreatedAt time.Time `json:"t"`
	// ReturnPath of our own page; only when ClientID is empty.
	ReturnPath string `json:"p,omitempty"`
	Request    `json:"r"`
	// Login is the key of the session that was made by a login in this flow.
	Login string `json:"l,omitempty"`
	// CSRF is the secret of this flow's forms.
	CSRF string `json:"c"`
}

// Request is an authorization request that passed the front door.
type Request struct {
	ClientID    string  `json:"client,omitempty"`
	RedirectURI string  `json:"redirect,omitempty"`
	State       *string `json:"state,omitempty"` // nil: not sent
	// Mode is the response mode: query, form_post, or the same with .jwt behind it; "" is query.
	Mode      string   `json:"mode,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	Scopes    []string `json:"scope,omitempty"`
	Challenge string   `json:"pkce,omitempty"`
	// JKT is the thumbprint of the DPoP key that the code is for (RFC 9449 section 10).
	JKT string `json:"jkt,omitempty"`
	// Instance is the thumbprint of the wallet's instance that pushed the request; the code is for it.
	Instance string   `json:"inst,omitempty"`
	Prompts  []string `json:"prompt,omitempty"`
	MaxAge   *int64   `json:"max_age,omitempty"` // seconds; nil: not sent
	// RequiredACR is the lowest level that will do: of the client, of acr_values and of claims.
	RequiredACR string `json:"acr,omitempty"`
	// HintSubject is the sub of a valid id_token_hint, or the sub that claims asks for.
	HintSubject string `json:"hint,omitempty"`
	LoginHint   string `json:"login_hint,omitempty"`
	UILocales   string `json:"locales,omitempty"`
	IssuerState string `json:"issuer_state,omitempty"`
	// UserinfoClaims and IDTokenClaims are claims of the catalogue that the claims parameter asks for (OpenID Connect Core 5.5), ClaimValues
	// the values that it wants of some of them.
	UserinfoClaims []string            `json:"claims_u,omitempty"`
	IDTokenClaims  []string            `json:"claims_i,omitempty"`
	ClaimValues    map[string][]string `json:"claims_v,omitempty"`
	// Resources are where the token is for (RFC 8707), Details what it is for (authorization_details, RFC 9396).
	Resources []string          `json:"resource,omitempty"`
	Details   []json.RawMessage `json:"details,omitempty"`
	// Pushed is the id of the pushed request, Object that of the request object that this one came from; a code uses them up.
	Pushed string `json:"pushed,omitempty"`
	Object *Once  `json:"object,omitempty"`
}

// Once is an id that may be used once, and how long it must be remembered.
type Once struct {
	ID      string    `json:"i"`
	Expires time.Time `json:"e"`
}

// Asks says whether prompt holds a value.
func (r Request) Asks(prompt string) bool { return slices.Contains(r.Prompts, prompt) }
