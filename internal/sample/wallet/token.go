package wallet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/hufu-id/hufu/internal/jose"
)

const preAuthorizedGrant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// Token is the answer of a token endpoint, as much of it as a wallet needs.
type Token struct {
	AccessToken  string   `json:"access_token"`
	TokenType    string   `json:"token_type"`
	RefreshToken string   `json:"refresh_token,omitempty"`
	Scope        string   `json:"scope,omitempty"`
	Details      []Detail `json:"authorization_details,omitempty"`

	// key is the one that the token is bound to, nil for a bearer token.
	key *jose.SigningKey
}

// Detail is an authorization detail for a credential (section 5.1.1), as sent and as answered.
type Detail struct {
	Type          string   `json:"type"`
	Configuration string   `json:"credential_configuration_id"`
	Locations     []string `json:"locations,omitempty"`
	Identifiers   []string `json:"credential_identifiers,omitempty"`
}

// identifiers are the Credential Identifiers that the token gives for a configuration.
func (t Token) identifiers(configuration string) []string {
	for _, d := range t.Details {
		if d.Type == "openid_credential" && d.Configuration == configuration {
			return d.Identifiers
		}
	}
	return nil
}

// bind makes the key for a token that is about to be asked for.
func (w *Wallet) bind() (*jose.SigningKey, error) {
	if !w.dpop {
		return nil, nil
	}
	key, err := jose.GenerateKey(jose.ES256)
	return &key, err
}

// token asks the token endpoint. A token that is not bound as it was asked for is refused: it would be a bearer token in disguise.
func (w *Wallet) token(ctx context.Context, s AuthServer, form url.Values, key *jose.SigningKey) (Token, error) {
	if w.clientID != "" {
		form.Set("client_id", w.clientID)
	}
	t := Token{key: key}
	if err := w.postForm(ctx, s, s.Token, form, key, &t); err != nil {
		return Token{}, err
	}
	if t.AccessToken == "" || (key != nil) != (t.TokenType == "DPoP") {
		return Token{}, fmt.Errorf("%w: no access token, or one of type %q", ErrIssuer, t.TokenType)
	}
	return t, nil
}

// Redeem trades an offer's Pre-Authorized Code for an access token. txCode is what the person typed, "" for none.
func (w *Wallet) Redeem(ctx context.Context, i Issuer, o Offer, txCode string) (Token, error) {
	return w.RedeemDetails(ctx, i, o, txCode)
}

// RedeemDetails is Redeem with authorization_details for the named configurations.
func (w *Wallet) RedeemDetails(ctx context.Context, i Issuer, o Offer, txCode string, configurations ...string) (Token, error) {
	if o.Grants.PreAuthorized == nil {
		return Token{}, fmt.Errorf("%w: the offer has no pre-authorized code", ErrIssuer)
	}
	form := url.Values{"grant_type": {preAuthorizedGrant}, "pre-authorized_code": {o.Grants.PreAuthorized.Code}}
	if txCode != "" {
		form.Set("tx_code", txCode)
	}
	if len(configurations) > 0 {
		form.Set("authorization_details", details(i, configurations))
	}
	key, err := w.bind()
	if err != nil {
		return Token{}, err
	}
	return w.token(ctx, i.Server, form, key)
}

// details are written with the issuer as location when the issuer is not its own authorization server (section 5.1.1).
func details(i Issuer, configurations []string) string {
	var list []Detail
	for _, c := range configurations {
		d := Detail{Type: "openid_credential", Configuration: c}
		if len(i.AuthServers) > 0 {
			d.Locations = []string{i.ID}
		}
		list = append(list, d)
	}
	b, _ := json.Marshal(list) // strings only
	return string(b)
}

// Refresh trades a token's refresh token for new tokens, bound to the same key.
func (w *Wallet) Refresh(ctx context.Context, i Issuer, t Token) (Token, error) {
	if t.RefreshToken == "" {
		return Token{}, fmt.Errorf("%w: it gave no refresh token", ErrIssuer)
	}
	next, err := w.token(ctx, i.Server, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.RefreshToken}}, t.key)
	if err != nil {
		return Token{}, err
	}
	if next.RefreshToken == "" {
		next.RefreshToken = t.RefreshToken
	}
	return next, nil
}

// Authorization is an authorization code flow on its way.
type Authorization struct {
	// URL is what the person's browser opens; it comes back to the redirect URI.
	URL string

	issuer                         Issuer
	configuration, state, verifier string
	key                            *jose.SigningKey
}

// AuthorizeOptions say how an authorization is asked for.
type AuthorizeOptions struct {
	// IssuerState is that of an offer, or "".
	IssuerState string
	// Details asks by authorization_details instead of scope.
	Details bool
	// Offline asks for a refresh token too.
	Offline bool
}

// Authorize begins an authorization code flow for one credential by its scope. issuerState is that of an offer, or "".
func (w *Wallet) Authorize(ctx context.Context, issuerID, configuration, issuerState string) (Authorization, error) {
	i, err := w.Discover(ctx, issuerID)
	if err != nil {
		return Authorization{}, err
	}
	return w.AuthorizeAt(ctx, i, configuration, AuthorizeOptions{IssuerState: issuerState})
}

// AuthorizeAt begins an authorization code flow for one credential. The request is pushed where the server takes that (RFC 9126).
func (w *Wallet) AuthorizeAt(ctx context.Context, i Issuer, configuration string, o AuthorizeOptions) (Authorization, error) {
	c, ok := i.Configurations[configuration]
	if !ok || !o.Details && c.Scope == "" {
		return Authorization{}, fmt.Errorf("%w: it offers no %q by scope", ErrIssuer, configuration)
	}
	a := Authorization{issuer: i, configuration: configuration, state: rand.Text(), verifier: rand.Text() + rand.Text()}
	challenge := sha256.Sum256([]byte(a.verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {w.clientID}, "redirect_uri": {w.redirectURI},
		"state": {a.state}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
	scope := c.Scope
	if o.Details {
		q.Set("authorization_details", details(i, []string{configuration}))
		scope = ""
	}
	if o.Offline {
		scope += " offline_access"
	}
	if scope != "" {
		q.Set("scope", scope)
	}
	if o.IssuerState != "" {
		q.Set("issuer_state", o.IssuerState)
	}
	var err error
	if a.key, err = w.bind(); err != nil {
		return Authorization{}, err
	}
	if i.Server.PAR != "" {
		var pushed struct {
			RequestURI string `json:"request_uri"`
		}
		if err := w.postForm(ctx, i.Server, i.Server.PAR, q, a.key, &pushed); err != nil {
			return Authorization{}, err
		}
		q = url.Values{"client_id": {w.clientID}, "request_uri": {pushed.RequestURI}}
	}
	a.URL = i.Server.Authorization + "?" + q.Encode()
	return a, nil
}

// Complete takes the address with which the browser came back, gets the credential and keeps it.
func (w *Wallet) Complete(ctx context.Context, a Authorization, callback string) (Credential, error) {
	t, err := w.Code(ctx, a, callback)
	if err != nil {
		return Credential{}, err
	}
	return w.Request(ctx, a.issuer, a.configuration, t)
}

// Code trades the code in the address with which the browser came back for tokens.
func (w *Wallet) Code(ctx context.Context, a Authorization, callback string) (Token, error) {
	u, err := url.Parse(callback)
	if err != nil {
		return Token{}, fmt.Errorf("wallet: the browser came back without an address")
	}
	q := u.Query()
	if q.Get("state") != a.state || q.Get("iss") != a.issuer.Server.Issuer {
		return Token{}, fmt.Errorf("%w: the answer belongs to another request or comes from another server", ErrIssuer)
	}
	if e := q.Get("error"); e != "" {
		return Token{}, &ErrorResponse{Code: e, Description: q.Get("error_description")}
	}
	return w.token(ctx, a.issuer.Server, url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")},
		"redirect_uri": {w.redirectURI}, "code_verifier": {a.verifier}}, a.key)
}
