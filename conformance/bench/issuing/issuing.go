// Package issuing measures what a credential costs: server and database together, for both formats, with and without DPoP, one at a time and in batches,
// beside the bare cost of checking a key proof and signing as much (Floor) in the same run.
package issuing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/report"
	"github.com/hufu-id/hufu/internal/jose"
)

// GoalUS is the goal for a credential of 12 claims, server and database together.
const GoalUS = 650

// perToken is how many requests are made with one access token.
const perToken = 5

// Env is the server that is measured, and the ways to it.
type Env struct {
	Origin string
	Path   string // of the credential issuer, below Origin
	Type   string // of licence: the scope, and the id of its SD-JWT configuration
	Client string
	// Code is an authorization code for person i; Redeem asks the token endpoint.
	Code   func(ctx context.Context, i int, verifier string) (string, error)
	Redeem func(ctx context.Context, code, verifier string, edit func(*http.Request)) (token string, err error)
	// Call sends one request and decodes its answer.
	Call func(ctx context.Context, method, path, contentType, body string, edit func(*http.Request), into any) error
	// Load runs an operation n times from c clients at once.
	Load func(ctx context.Context, row report.Row, n, c int, op func(ctx context.Context, i int) error) (report.Row, error)
	Say  func(format string, args ...any)
}

// metadata is what is read of the issuer's.
type metadata struct {
	Batch struct {
		Size int `json:"batch_size"`
	} `json:"batch_credential_issuance"`
	Configurations map[string]struct {
		Format string `json:"format"`
	} `json:"credential_configurations_supported"`
}

// kind is one row.
type kind struct {
	configuration string
	dpop          bool
	batch         int
}

func (k kind) name() string {
	s := k.configuration + ", bearer"
	if k.dpop {
		s = k.configuration + ", DPoP"
	}
	if k.batch > 1 {
		s += fmt.Sprintf(", batch of %d", k.batch)
	}
	return s
}

// Run measures all that the server offers. A row's times are per credential; n is how many credentials each has.
func Run(ctx context.Context, e Env, n, c int) ([]report.Row, error) {
	var m metadata
	if err := e.Call(ctx, http.MethodGet, "/.well-known/openid-credential-issuer"+e.Path, "", "", nil, &m); err != nil {
		return nil, err
	}
	var rows []report.Row
	for _, k := range []kind{{e.Type, false, 1}, {e.Type, true, 1}, {e.Type, false, 10}, {e.Type, true, 10}, {e.Type + ".mdoc", true, 1}, {e.Type + ".mdoc", true, 10}} {
		if _, offered := m.Configurations[k.configuration]; !offered || k.batch > max(1, m.Batch.Size) {
			e.Say("not offered: %s", k.name())
			continue
		}
		row, err := e.row(ctx, k, n, c)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (e Env) row(ctx context.Context, k kind, n, c int) (report.Row, error) {
	requests := max(c, n/k.batch)
	warm := max(c, requests/10)
	op, size, err := e.prepare(ctx, k, requests+warm)
	if err != nil {
		return report.Row{}, fmt.Errorf("%s: %w", k.name(), err)
	}
	if _, err := e.Load(ctx, report.Row{Name: k.name() + ", warming up"}, warm, c, op); err != nil {
		return report.Row{}, err
	}
	row, err := e.Load(ctx, report.Row{Name: k.name(), Signs: 1, Verifies: 1, GoalUS: GoalUS}, requests, c, op)
	if err != nil {
		return row, err
	}
	each := float64(k.batch)
	row.Operations *= k.batch
	row.PerSecond *= each
	row.ServerUS, row.DatabaseUS, row.Requests, row.Writes = row.ServerUS/each, row.DatabaseUS/each, row.Requests/each, row.Writes/each
	row.FloorUS, err = Floor(int(size.Load()))
	return row, err
}

// order is one Credential Request that is ready but for its nonce.
type order struct {
	token string
	dpop  jose.SigningKey
	keys  []jose.SigningKey
}

// prepare gets tokens and makes keys, so that what is measured is the nonce and the credential request alone.
func (e Env) prepare(ctx context.Context, k kind, n int) (op func(context.Context, int) error, size *atomic.Int64, err error) {
	e.Say("preparing %d requests: %s", n, k.name())
	orders := make([]order, n)
	for i := range orders {
		if i%perToken == 0 {
			if orders[i], err = e.token(ctx, i/perToken, k.dpop); err != nil {
				return nil, nil, err
			}
		} else {
			orders[i] = order{token: orders[i-1].token, dpop: orders[i-1].dpop}
		}
		for range k.batch {
			key, err := jose.GenerateKey(jose.ES256)
			if err != nil {
				return nil, nil, err
			}
			orders[i].keys = append(orders[i].keys, key)
		}
	}
	var next atomic.Int64
	size = &atomic.Int64{}
	return func(ctx context.Context, _ int) error {
		got, err := e.take(ctx, k, orders[next.Add(1)-1])
		size.Store(int64(got))
		return err
	}, size, nil
}

func (e Env) token(ctx context.Context, i int, dpop bool) (order, error) {
	var o order
	var edit func(*http.Request)
	if dpop {
		var err error
		if o.dpop, err = jose.GenerateKey(jose.ES256); err != nil {
			return o, err
		}
		proof, err := e.proof(o.dpop, "/token", "")
		if err != nil {
			return o, err
		}
		edit = func(r *http.Request) { r.Header.Set("DPoP", proof) }
	}
	verifier := rand.Text() + rand.Text()
	code, err := e.Code(ctx, i, verifier)
	if err != nil {
		return o, err
	}
	o.token, err = e.Redeem(ctx, code, verifier, edit)
	return o, err
}

// proof is a DPoP proof (RFC 9449 section 4.2).
func (e Env) proof(key jose.SigningKey, path, token string) (string, error) {
	public, err := key.Public()
	if err != nil {
		return "", err
	}
	claims := map[string]any{"htm": "POST", "htu": e.Origin + path, "iat": time.Now().Unix(), "jti": rand.Text()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return jose.SignJSON(key, jose.Header{Typ: "dpop+jwt", JWK: &public}, claims)
}

// take asks for a nonce and then for the credentials, and returns the length of one.
func (e Env) take(ctx context.Context, k kind, o order) (int, error) {
	var nonce struct {
		Nonce string `json:"c_nonce"`
	}
	if err := e.Call(ctx, http.MethodPost, e.Path+"/nonce", "", "", nil, &nonce); err != nil {
		return 0, err
	}
	proofs := make([]string, len(o.keys))
	for i, key := range o.keys {
		public, err := key.Public()
		if err != nil {
			return 0, err
		}
		if proofs[i], err = jose.SignJSON(key, jose.Header{Typ: "openid4vci-proof+jwt", JWK: &public},
			map[string]any{"iss": e.Client, "aud": e.Origin + e.Path, "iat": time.Now().Unix(), "nonce": nonce.Nonce}); err != nil {
			return 0, err
		}
	}
	body, err := json.Marshal(map[string]any{"credential_configuration_id": k.configuration, "proofs": map[string]any{"jwt": proofs}})
	if err != nil {
		return 0, err
	}
	path, dpop := e.Path+"/credential", ""
	if k.dpop {
		if dpop, err = e.proof(o.dpop, path, o.token); err != nil {
			return 0, err
		}
	}
	var answer struct {
		Credentials []struct {
			Credential string `json:"credential"`
		} `json:"credentials"`
	}
	err = e.Call(ctx, http.MethodPost, path, "application/json", string(body), func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+o.token)
		if dpop != "" {
			r.Header.Set("Authorization", "DPoP "+o.token)
			r.Header.Set("DPoP", dpop)
		}
	}, &answer)
	if err != nil {
		return 0, err
	}
	if len(answer.Credentials) != k.batch {
		return 0, fmt.Errorf("%d credentials, not %d", len(answer.Credentials), k.batch)
	}
	return len(answer.Credentials[0].Credential), nil
}

// Floor is the bare cost of a credential of so many bytes: one key proof is checked, and one payload signed, by our own jose and nothing around it.
func Floor(size int) (float64, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return 0, err
	}
	public, err := key.Public()
	if err != nil {
		return 0, err
	}
	proof, err := jose.SignJSON(key, jose.Header{Typ: "openid4vci-proof+jwt"}, map[string]any{"iss": "w", "aud": "a", "iat": 1, "nonce": strings.Repeat("n", 64)})
	if err != nil {
		return 0, err
	}
	policy := jose.Policy{Typ: []string{"openid4vci-proof+jwt"}, Algs: []jose.Alg{jose.ES256}}
	payload, err := json.Marshal(map[string]string{"x": strings.Repeat("x", max(1, min(size, 4096)))})
	if err != nil {
		return 0, err
	}
	return cost.Own(cost.Rounds, func() error {
		_, err1 := jose.Verify(proof, policy, public)
		_, err2 := jose.Sign(key, jose.Header{Typ: "dc+sd-jwt"}, payload)
		return errors.Join(err1, err2)
	})
}
