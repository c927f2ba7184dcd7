// Package jar reads signed request objects (RFC 9101).
//
// What counts is the client's signature over the whole request, made for us and recently. "none" is no signature, a key in the header is
// nobody's key, and a token made for another purpose is refused by its type or its claims.
package jar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
)

// ErrObject: not a good request object of this client. The reason is in the text, for the developer's page and the log.
var ErrObject = errors.New("jar: invalid request object")

// Kind is the kind under which ids of request objects are used up.
const Kind = "oidc.request_object"

// Limits of request objects.
const (
	maxBytes = 12 << 10
	maxLife  = time.Hour
	leeway   = 10 * time.Second
)

// Reader reads request objects. Safe for concurrent use.
type Reader struct {
	Issuer string
	Keys   client.KeySource
	Now    func() time.Time
}

// Read checks a request object and returns the parameters in it, and the id that the request must use up, if it has one. ErrObject.
func (d Reader) Read(ctx context.Context, c client.Client, object string) (url.Values, *flow.Once, error) {
	fail := func(err error) (url.Values, *flow.Once, error) { return nil, nil, fmt.Errorf("%w: %w", ErrObject, err) }
	algs := c.Policy().SigningAlgs
	if c.RequestObjectAlg != "" {
		algs = []jose.Alg{c.RequestObjectAlg}
	}
	unverified, err := jose.ParseUnverified(object, jose.Policy{Typ: []string{"oauth-authz-req+jwt", "JWT", ""}, TypAnyCase: true, Algs: algs, MaxBytes: maxBytes})
	if err != nil {
		return fail(err)
	}
	keys, err := d.Keys.Keys(ctx, c, unverified.Header.KeyID)
	if err != nil {
		return fail(err)
	}
	verified, err := unverified.Verify(keys...)
	if err != nil {
		return fail(err)
	}
	// RFC 9101 section 10.2: aud is ours, or a list with us in it.
	claims, err := verified.Claims(jose.ClaimPolicy{Issuer: c.ID, Audience: d.Issuer, AudienceArrayOK: true, At: d.Now(), Leeway: leeway})
	if err != nil {
		return fail(err)
	}
	if err := d.window(c, claims); err != nil {
		return fail(err)
	}
	once, err := d.once(c, claims)
	if err != nil {
		return fail(err)
	}
	values, err := parameters(c, claims)
	if err != nil {
		return fail(err)
	}
	return values, once, nil
}

// window limits how long an object is good (FAPI 2.0 Message Signing 5.3.1): one that lives for ever is a login that somebody else can start.
func (d Reader) window(c client.Client, claims jose.Claims) error {
	now := d.Now()
	exp, err := claims.Time("exp")
	if err != nil {
		return err
	}
	if exp.After(now.Add(maxLife + leeway)) {
		return errors.New("exp is more than an hour away")
	}
	if _, ok := claims["nbf"]; !ok {
		if c.Policy().RequestObjectWindow {
			return errors.New("nbf is missing")
		}
		return nil
	}
	nbf, err := claims.Time("nbf")
	if err != nil {
		return err
	}
	if nbf.Before(now.Add(-maxLife)) || exp.Sub(nbf) > maxLife+leeway {
		return errors.New("nbf is more than an hour ago, or exp more than an hour after it")
	}
	return nil
}

func (d Reader) once(c client.Client, claims jose.Claims) (*flow.Once, error) {
	if _, ok := claims["jti"]; !ok {
		return nil, nil
	}
	jti, err := claims.String("jti")
	if err != nil || jti == "" || len(jti) > 256 {
		return nil, errors.New("jti")
	}
	exp, err := claims.Time("exp")
	return &flow.Once{ID: c.ID + "\x00" + jti, Expires: exp.Add(flow.Life)}, err
}

// notParameters are the claims that are about the object itself.
var notParameters = []string{"iss", "aud", "exp", "nbf", "iat", "jti"}

// parameters turns the claims into parameters, by their JSON type: numbers stay numbers, objects stay JSON (library-traps: fosite writes them
// by %s, and a max_age is lost).
func parameters(c client.Client, claims jose.Claims) (url.Values, error) {
	for _, name := range []string{"request", "request_uri", "sub", "client_assertion", "client_assertion_type"} {
		if _, ok := claims[name]; ok {
			// sub is what a client assertion has: it must not pass as a request (RFC 9101 section 10.8).
			return nil, fmt.Errorf("%s does not belong into a request object", name)
		}
	}
	if id, err := claims.String("client_id"); err != nil || id != c.ID {
		return nil, errors.New("client_id is missing or another client's")
	}
	out := url.Values{}
	for name, value := range claims {
		if slices.Contains(notParameters, name) {
			continue
		}
		switch v := value.(type) {
		case string:
			out.Set(name, v)
		case json.Number:
			out.Set(name, v.String())
		case bool:
			out.Set(name, fmt.Sprint(v))
		case []any:
			if name == "resource" {
				list, err := claims.StringList(name)
				if err != nil {
					return nil, err
				}
				out[name] = list
				continue
			}
			out.Set(name, text(v))
		case map[string]any:
			out.Set(name, text(v))
		}
	}
	return out, nil
}

func text(v any) string {
	b, _ := json.Marshal(v) // it was JSON a moment ago
	return string(b)
}
