package resource

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Introspection says as which client the issuer is asked about opaque tokens (RFC 7662). Exactly one of Secret and Key is set.
type Introspection struct {
	ClientID string
	Secret   string        // client_secret_basic
	Key      crypto.Signer // private_key_jwt: P-256, Ed25519, or RSA with PS256
	KeyID    string        // the key's "kid" as registered; "" means its thumbprint
	// Signed asks for answers that the issuer has signed (RFC 9701), and takes no others.
	Signed bool
}

// Limits of remembered answers.
const (
	answerFor  = 10 * time.Second // so long may a revoked token still work
	maxAnswers = 10_000
)

const introspectionType = "token-introspection+jwt"

// signedAnswer is how a signed answer must look (RFC 9701 section 5). Its typ keeps anybody from passing it off as an access token, and the other way round.
var signedAnswer = jose.Policy{Typ: []string{introspectionType}, Algs: []jose.Alg{jose.ES256}, MaxBytes: maxAnswer}

// asker asks the issuer about tokens.
type asker struct {
	Introspection
	key      jose.SigningKey
	audience string
	issuer   *issuer

	mu    sync.Mutex
	known map[[sha256.Size]byte]answer // by hash, so that a dump of memory holds no tokens
}

type answer struct {
	token Token
	until time.Time
}

func newAsker(cfg Config, is *issuer) (*asker, error) {
	a := &asker{Introspection: *cfg.Introspection, audience: cfg.Audience, issuer: is, known: map[[sha256.Size]byte]answer{}}
	if a.ClientID == "" || (a.Secret == "") == (a.Key == nil) {
		return nil, errors.New("resource: introspection needs a client id, and either a secret or a key")
	}
	if a.Key == nil {
		return a, nil
	}
	alg := jose.Alg("") // of the curve
	if _, ok := a.Key.Public().(*rsa.PublicKey); ok {
		alg = jose.PS256
	}
	var err error
	if a.key, err = jose.NewSigningKey(a.Key, alg); err != nil {
		return nil, fmt.Errorf("resource: introspection: %w", err)
	}
	if a.KeyID != "" {
		a.key.ID = a.KeyID
	}
	return a, nil
}

// ask returns what the issuer says about token. Good answers are remembered for a short while, bad ones aren't.
func (a *asker) ask(ctx context.Context, token string, now time.Time) (Token, error) {
	name := sha256.Sum256([]byte(token))
	a.mu.Lock()
	known, ok := a.known[name]
	a.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.token, nil
	}
	claims, err := a.exchange(ctx, token, now)
	if err != nil {
		return Token{}, fmt.Errorf("introspection: %w", err)
	}
	t, err := a.judge(claims, now)
	if err != nil {
		return Token{}, badToken(err)
	}
	until := now.Add(answerFor)
	if t.Expires.Before(until) {
		until = t.Expires
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxAnswers {
		clear(a.known) // it only saves questions
	}
	a.known[name] = answer{t, until}
	return t, nil
}

// judge decides whether the answer is about an access token for us that is good now.
func (a *asker) judge(c jose.Claims, now time.Time) (Token, error) {
	if active, ok := c["active"].(bool); !ok || !active {
		return Token{}, errors.New("not active")
	}
	// token_type is said of access tokens alone (RFC 7662 section 2.2): an active refresh token is no access token.
	kind, err := c.String("token_type")
	if err != nil || !strings.EqualFold(kind, schemeBearer) && !strings.EqualFold(kind, schemeDPoP) {
		return Token{}, fmt.Errorf("%w: token_type", jose.ErrClaim)
	}
	if _, present := c["iss"]; present {
		if iss, err := c.String("iss"); err != nil || iss != a.issuer.id {
			return Token{}, jose.ErrIssuer
		}
	}
	if list, err := c.StringList("aud"); err != nil || !slices.Contains(list, a.audience) {
		return Token{}, jose.ErrAudience
	}
	t, err := tokenOf(c)
	switch {
	case err != nil:
		return Token{}, err
	case !now.Before(t.Expires):
		return Token{}, jose.ErrExpired
	case strings.EqualFold(kind, schemeDPoP) && t.JKT == "":
		return Token{}, fmt.Errorf("%w: cnf is missing", jose.ErrClaim)
	}
	if _, present := c["nbf"]; present {
		if nbf, err := c.Time("nbf"); err != nil || now.Add(leeway).Before(nbf) {
			return Token{}, jose.ErrNotYetValid
		}
	}
	return t, nil
}

// exchange asks, and opens the answer. What goes wrong here is errIssuer: our credentials, or the issuer.
func (a *asker) exchange(ctx context.Context, token string, now time.Time) (jose.Claims, error) {
	p, err := a.issuer.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkURL(p.introspectionEndpoint); err != nil {
		return nil, fmt.Errorf("%w: introspection_endpoint: %w", errIssuer, err)
	}
	req, err := a.request(ctx, p.introspectionEndpoint, token, now)
	if err != nil {
		return nil, err
	}
	body, contentType, err := a.issuer.do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && media == "application/"+introspectionType:
		return a.open(ctx, string(body), now)
	case err != nil || media != "application/json" || a.Signed: // an answer without signature, where one was agreed, may be anybody's
		return nil, fmt.Errorf("%w: an introspection answer of another type", errIssuer)
	}
	var c jose.Claims
	if err := jose.DecodeStrict(body, (*map[string]any)(&c)); err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	return c, nil
}

// open checks a signed answer: by the issuer's keys, for us, of now.
func (a *asker) open(ctx context.Context, compact string, now time.Time) (jose.Claims, error) {
	u, err := jose.ParseUnverified(compact, signedAnswer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	v, err := a.issuer.verify(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	outer, err := v.Claims(jose.ClaimPolicy{Issuer: a.issuer.id, Audience: a.ClientID, At: now, Leeway: leeway, MaxAge: time.Minute, RequireIat: true, OptionalExp: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	inner, ok := outer["token_introspection"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: token_introspection is missing", errIssuer)
	}
	return inner, nil
}

// request writes the question, with the client's authentication.
func (a *asker) request(ctx context.Context, endpoint, token string, now time.Time) (*http.Request, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if a.Key != nil {
		assertion, err := jose.SignJSON(a.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": a.ClientID, "sub": a.ClientID, "aud": a.issuer.id,
			"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if a.Signed {
		req.Header.Set("Accept", "application/"+introspectionType)
	}
	if a.Key == nil {
		req.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.Secret)) // RFC 6749 section 2.3.1
	}
	return req, nil
}
