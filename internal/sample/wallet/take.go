package wallet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

const preAuthorizedGrant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// Token is the answer of a token endpoint, as much of it as a wallet needs.
type Token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
}

// Redeem trades an offer's Pre-Authorized Code for an access token. txCode is what the person typed, "" for none.
func (w *Wallet) Redeem(ctx context.Context, i Issuer, o Offer, txCode string) (Token, error) {
	if o.Grants.PreAuthorized == nil {
		return Token{}, fmt.Errorf("%w: the offer has no pre-authorized code", ErrIssuer)
	}
	form := url.Values{"grant_type": {preAuthorizedGrant}, "pre-authorized_code": {o.Grants.PreAuthorized.Code}}
	if txCode != "" {
		form.Set("tx_code", txCode)
	}
	if w.clientID != "" {
		form.Set("client_id", w.clientID)
	}
	var t Token
	return t, w.postForm(ctx, i.Server.Token, form, &t)
}

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

// Authorization is an authorization code flow on its way.
type Authorization struct {
	// URL is what the person's browser opens; it comes back to the redirect URI.
	URL string

	issuer                         Issuer
	configuration, state, verifier string
}

// Authorize begins an authorization code flow for one credential. issuerState is that of an offer, or "".
func (w *Wallet) Authorize(ctx context.Context, issuerID, configuration, issuerState string) (Authorization, error) {
	i, err := w.Discover(ctx, issuerID)
	if err != nil {
		return Authorization{}, err
	}
	c, ok := i.Configurations[configuration]
	if !ok || c.Scope == "" {
		return Authorization{}, fmt.Errorf("%w: it offers no %q by scope", ErrIssuer, configuration)
	}
	a := Authorization{issuer: i, configuration: configuration, state: rand.Text(), verifier: rand.Text() + rand.Text()}
	challenge := sha256.Sum256([]byte(a.verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {w.clientID}, "redirect_uri": {w.redirectURI}, "scope": {c.Scope},
		"state": {a.state}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
	if issuerState != "" {
		q.Set("issuer_state", issuerState)
	}
	a.URL = i.Server.Authorization + "?" + q.Encode()
	return a, nil
}

// Complete takes the address with which the browser came back, gets the credential and keeps it.
func (w *Wallet) Complete(ctx context.Context, a Authorization, callback string) (Credential, error) {
	u, err := url.Parse(callback)
	if err != nil {
		return Credential{}, fmt.Errorf("wallet: the browser came back without an address")
	}
	q := u.Query()
	if q.Get("state") != a.state || q.Get("iss") != a.issuer.Server.Issuer {
		return Credential{}, fmt.Errorf("%w: the answer belongs to another request or comes from another server", ErrIssuer)
	}
	if e := q.Get("error"); e != "" {
		return Credential{}, &ErrorResponse{Code: e, Description: q.Get("error_description")}
	}
	var t Token
	err = w.postForm(ctx, a.issuer.Server.Token, url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")},
		"client_id": {w.clientID}, "redirect_uri": {w.redirectURI}, "code_verifier": {a.verifier}}, &t)
	if err != nil {
		return Credential{}, err
	}
	return w.Request(ctx, a.issuer, a.configuration, t)
}

// Nonce asks for a fresh nonce.
func (w *Wallet) Nonce(ctx context.Context, i Issuer) (string, error) {
	var n struct {
		Nonce string `json:"c_nonce"`
	}
	if err := w.postForm(ctx, i.NonceEndpoint, nil, &n); err != nil {
		return "", err
	}
	return n.Nonce, nil
}

// Prove makes a key proof (OpenID4VCI appendix F.1). anonymous leaves out iss.
func (w *Wallet) Prove(i Issuer, key jose.SigningKey, nonce string, anonymous bool) (string, error) {
	pub, err := key.Public()
	if err != nil {
		return "", err
	}
	if pub, err = jose.FromPublic(pub.Public(), "", ""); err != nil {
		return "", err
	}
	claims := map[string]any{"aud": i.ID, "iat": w.now().Unix(), "nonce": nonce}
	if !anonymous {
		claims["iss"] = w.clientID
	}
	return jose.SignJSON(key, jose.Header{Typ: "openid4vci-proof+jwt", JWK: &pub}, claims)
}

// Request makes a new key, proves it, asks for a credential, checks what comes and keeps it.
func (w *Wallet) Request(ctx context.Context, i Issuer, configuration string, t Token) (Credential, error) {
	key, err := jose.GenerateKey(w.alg)
	if err != nil {
		return Credential{}, err
	}
	nonce, err := w.Nonce(ctx, i)
	if err != nil {
		return Credential{}, err
	}
	proof, err := w.Prove(i, key, nonce, w.clientID == "")
	if err != nil {
		return Credential{}, err
	}
	var answer struct {
		Credentials []struct {
			Credential string `json:"credential"`
		} `json:"credentials"`
	}
	err = w.postJSON(ctx, i.CredentialEndpoint, t.AccessToken, map[string]any{"credential_configuration_id": configuration,
		"proofs": map[string]any{"jwt": []string{proof}}}, &answer)
	if err != nil {
		return Credential{}, err
	}
	if len(answer.Credentials) != 1 {
		return Credential{}, fmt.Errorf("%w: %d credentials instead of one", ErrIssuer, len(answer.Credentials))
	}
	c := Credential{Issuer: i.ID, Configuration: configuration, Format: i.Configurations[configuration].Format, Type: i.Configurations[configuration].VCT, Text: answer.Credentials[0].Credential, Key: key, ReceivedAt: w.now()}
	if err := w.check(ctx, i, c); err != nil {
		return Credential{}, err
	}
	w.keep(c)
	return c, nil
}

// check refuses a credential that isn't what was asked for: another type, key or issuer, or a signature of unknown origin.
func (w *Wallet) check(ctx context.Context, i Issuer, c Credential) error {
	p, err := sdjwt.Parse(c.Text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	if p.HasKeyBinding() {
		return fmt.Errorf("%w: a credential as issued has no key binding", ErrIssuer)
	}
	keys, err := w.keys(ctx, i.ID)
	if err != nil {
		return err
	}
	v, err := p.Verify(keys...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	holder, err := v.Holder()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	own, err := c.Key.Public()
	if err != nil {
		return err
	}
	claims := v.Claims()
	if holder.Thumbprint() != own.Thumbprint() || claims["iss"] != i.ID || claims["vct"] != i.Configurations[c.Configuration].VCT {
		return fmt.Errorf("%w: the credential is for another key, of another issuer or of another type", ErrIssuer)
	}
	return nil
}
