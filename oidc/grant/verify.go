package grant

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// ErrToken: not a good access token for this audience. The reason is in the text, for the log only.
var ErrToken = errors.New("grant: invalid access token")

// Type is the typ header of access tokens (RFC 9068 section 2.1). It keeps an ID token from passing as one.
const Type = "at+jwt"

// GrantClaim is the private claim that names the grant of a token.
const GrantClaim = "gid"

// Verifier checks access tokens. Safe for concurrent use.
type Verifier struct {
	Issuer string
	Keys   func(ctx context.Context) ([]jose.JWK, error)
	// SignedAt says whether the key of that kid may have signed something dated at; see oidc.Keys.
	SignedAt func(ctx context.Context, kid string, at time.Time) (bool, error)
	Store    Store
	Clients  *client.Registry
	Opaque   OpaqueTokens
	Now      func() time.Time

	seen seen
}

// Validate checks a token for one audience. ErrToken, or a fault.
func (v *Verifier) Validate(ctx context.Context, token, audience string) (AccessToken, error) {
	t, err := v.Inspect(ctx, token)
	if err == nil && !slices.Contains(t.Audience, audience) {
		return AccessToken{}, fmt.Errorf("%w: %w: %w", ErrToken, jose.ErrAudience, oauth.Reason("token audience"))
	}
	return t, err
}

// Inspect is Validate for whoever may know about tokens for others: it leaves the audience to the caller. ErrToken, or a fault.
func (v *Verifier) Inspect(ctx context.Context, token string) (AccessToken, error) {
	t, err := v.read(ctx, token)
	if err != nil {
		return AccessToken{}, err
	}
	fail := func(err error) (AccessToken, error) {
		return AccessToken{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	trail.Client(ctx, t.ClientID)
	trail.Tie(ctx, "grant", t.GrantID)
	g, err := v.Store.Grant(ctx, t.GrantID)
	switch {
	case errors.Is(err, ErrUnknown):
		return fail(err)
	case err != nil:
		return AccessToken{}, err
	case !g.RevokedAt.IsZero():
		return fail(oauth.Reason("token revoked"))
	case g.Subject != t.Subject || g.ClientID != t.ClientID:
		return fail(errors.New("the token is not of its grant"))
	}
	if g.ClientID != "" {
		if _, err := v.Clients.Get(ctx, g.ClientID); errors.Is(err, client.ErrUnknown) {
			return fail(err)
		} else if err != nil {
			return AccessToken{}, err
		}
	}
	t.PersonID, t.OfferID, t.IssuerState, t.Instance = g.PersonID, g.OfferID, g.IssuerState, g.Instance
	t.Claims, t.ACR, t.AuthTime = claimsFor(g, t.Scopes), g.ACR, g.AuthTime
	if t.marks != nil {
		t.Details = marked(g.Details, t.marks)
	}
	return t, nil
}

// Credentials are what a wallet was granted by authorization_details, with the identifiers under which it may ask; none for a token of scopes alone.
func (t AccessToken) Credentials() []credential.Detail { return credential.Granted(t.Details) }

// read checks what the token itself says: a JWT has two dots, a sealed one has none.
func (v *Verifier) read(ctx context.Context, token string) (AccessToken, error) {
	fail := func(err error) (AccessToken, error) {
		return AccessToken{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if !strings.Contains(token, ".") {
		t, err := v.Opaque.parse(token, v.Now())
		if err != nil {
			return fail(err)
		}
		return t, nil
	}
	keys, err := v.Keys(ctx)
	if err != nil {
		return AccessToken{}, fmt.Errorf("grant: verification keys: %w", err)
	}
	name := sha256.Sum256([]byte(token))
	if t, ok := v.seen.get(name, keys, v.Now()); ok {
		return t, nil
	}
	verified, err := jose.Verify(token, jose.Policy{Typ: []string{Type}, Algs: []jose.Alg{jose.ES256}}, keys...)
	if err != nil {
		return fail(err)
	}
	claims, err := verified.Claims(jose.ClaimPolicy{Issuer: v.Issuer, At: v.Now(), RequireIat: true, RequireJTI: true})
	if err != nil {
		remember(ctx, verified.Payload())
		return fail(errors.Join(oauth.Reason("token claims"), err))
	}
	t, err := parse(claims)
	if err != nil {
		return fail(err)
	}
	lived, err := v.SignedAt(ctx, verified.Key().KeyID(), t.IssuedAt)
	if err != nil {
		return AccessToken{}, fmt.Errorf("grant: life of the key: %w", err)
	}
	if !lived { // T05: whoever has our old keys makes no new tokens
		return fail(errors.New("the key was not in use when the token says that it was issued"))
	}
	v.seen.put(name, t, verified.Key().Thumbprint())
	return t, nil
}

// remember tells the trail whose token it was: most tokens that are refused were good five minutes ago. The signature is ours, so the name is.
func remember(ctx context.Context, payload []byte) {
	var t struct {
		Client string `json:"client_id"`
		Grant  string `json:"gid"`
	}
	if json.Unmarshal(payload, &t) == nil && t.Client != "" {
		trail.Client(ctx, t.Client)
		trail.Tie(ctx, "grant", t.Grant)
	}
}

// claimsFor is what a token may tell: a token of fewer scopes than the grant's (RFC 6749 section 6) tells less.
func claimsFor(g Grant, scopes []string) []string {
	var dropped []string
	for _, s := range g.Scopes {
		if !slices.Contains(scopes, s) {
			dropped = append(dropped, s)
		}
	}
	dropped = claim.Of(dropped)
	return slices.DeleteFunc(slices.Clone(g.Claims), func(c string) bool { return slices.Contains(dropped, c) })
}

func parse(c jose.Claims) (AccessToken, error) {
	var t AccessToken
	var err error
	for name, to := range map[string]*string{GrantClaim: &t.GrantID, "jti": &t.JTI, "sub": &t.Subject} {
		if *to, err = c.String(name); err != nil {
			return t, err
		}
	}
	if _, ok := c["client_id"]; ok {
		if t.ClientID, err = c.String("client_id"); err != nil {
			return t, err
		}
	}
	if t.JKT, t.CertThumbprint, err = confirmation(c); err != nil {
		return t, err
	}
	if t.Audience, err = c.StringList("aud"); err != nil {
		return t, err
	}
	if _, ok := c["scope"]; ok { // none when authorization_details alone say what the token is for
		scope, err := c.String("scope")
		if err != nil {
			return t, err
		}
		t.Scopes = strings.Fields(scope)
	}
	if list, ok := c["authorization_details"]; ok {
		b, err := json.Marshal(list)
		if err == nil {
			err = json.Unmarshal(b, &t.Details)
		}
		if err != nil {
			return t, err
		}
	}
	if t.IssuedAt, err = c.Time("iat"); err != nil {
		return t, err
	}
	t.ExpiresAt, err = c.Time("exp")
	return t, err
}

// confirmation reads what a token is bound to (RFC 7800). A member that we don't know is an error: whoever wrote it meant a restriction.
func confirmation(c jose.Claims) (jkt, cert string, err error) {
	raw, ok := c["cnf"]
	if !ok {
		return "", "", nil
	}
	cnf, ok := raw.(map[string]any)
	if !ok || len(cnf) != 1 {
		return "", "", errors.New("cnf")
	}
	jkt, _ = cnf["jkt"].(string)
	cert, _ = cnf["x5t#S256"].(string)
	if jkt == "" && cert == "" {
		return "", "", errors.New("cnf")
	}
	return jkt, cert, nil
}

// Revoke ends a grant by its id.
func (v *Verifier) Revoke(ctx context.Context, id, reason string) error {
	return v.Store.Revoke(ctx, id, v.Now(), audit.Event{Kind: "oidc.grant_revoked", Actor: "system", Subject: id,
		Detail: map[string]string{"reason": reason}})
}
