package node

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/web"
)

// cluster is some nodes on one database, with a wallet.
type cluster struct {
	t     *testing.T
	nodes []*Node
	key   jose.SigningKey // of the wallet's DPoP proofs
}

const traffic, market = "1199440000TRY002X9", "1199440000TRY0011H"

func eachCluster(t *testing.T, run func(t *testing.T, c *cluster)) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			kek, _ := keys.NewKEK()
			c := &cluster{t: t}
			c.key, _ = dpoptest.NewKey(t)
			for range 2 {
				n, err := Open(t.Context(), Options{KEK: kek, Migrate: true, AllowHTTP: true, Config: Config{Origin: testOrigin, Database: dsn,
					Authorities: []AuthorityConfig{{Code: traffic, NameZH: "沙箱省公安厅交通管理局", NameEN: "Sandbox Traffic Police", Types: []string{"driving-licence"}},
						{Code: market, NameZH: "沙箱省市场监督管理局", NameEN: "Sandbox Market Regulation", Types: []string{"driving-licence"}}}},
					Clients: []oidc.Client{{ID: "w", Name: web.Plain("w"), Service: web.Plain("w"), RedirectURIs: []string{"http://localhost/cb"}, AuthMethod: client.None,
						Public: true, GrantTypes: []string{client.AuthorizationCode}, Scopes: []string{"driving-licence"}}}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(n.Close)
				c.nodes = append(c.nodes, n)
			}
			run(t, c)
		})
	}
}

// token records a grant and signs an access token of it; pairs change claims.
func (c *cluster) token(audience string, pairs ...any) string {
	c.t.Helper()
	n, now := c.nodes[0], time.Now()
	g := grant.Grant{ID: "g-" + rand.Text(), Type: client.AuthorizationCode, ClientID: "w", Subject: "s", PersonID: "p", ACR: "loa3", Scopes: []string{"driving-licence"},
		Audience: []string{audience}, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
	if err := oidcstore.New(n.db, nil).PutGrant(c.t.Context(), g, audit.Event{Kind: "oidc.test"}); err != nil {
		c.t.Fatal(err)
	}
	key, err := signingKey(c.t.Context(), n.keys, keys.OIDC)
	if err != nil {
		c.t.Fatal(err)
	}
	claims := map[string]any{"iss": testOrigin, "aud": g.Audience, "sub": g.Subject, "client_id": "w", "gid": g.ID, "jti": g.ID, "scope": "driving-licence",
		"iat": now.Unix(), "exp": g.ExpiresAt.Unix()}
	for i := 0; i+1 < len(pairs); i += 2 {
		claims[pairs[i].(string)] = pairs[i+1]
	}
	token, err := jose.SignJSON(key, jose.Header{Typ: grant.Type}, claims)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

// bound is a token that is bound to the wallet's key.
func (c *cluster) bound(audience string) string {
	return c.token(audience, "cnf", map[string]any{"jkt": c.key.ID})
}

const credentialPath = "/i/" + traffic + "/credential"

// ask sends a Credential Request for a configuration that there isn't: who gets past the token is told so, with 400.
func (c *cluster) ask(node int, target string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, testOrigin+target, strings.NewReader(`{"credential_configuration_id":"none"}`))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	c.nodes[node].Handler().ServeHTTP(rec, req)
	return rec
}

func (c *cluster) proof(token string, change ...any) string {
	claims := dpoptest.Claims(http.MethodPost, testOrigin+credentialPath, token, time.Now())
	for i := 0; i+1 < len(change); i += 2 {
		claims[change[i].(string)] = change[i+1]
	}
	return dpoptest.Sign(c.t, c.key, claims)
}

// TestP08AccessTokensAtTheCredentialEndpoint: each row differs from a twin in one thing.
func TestP08AccessTokensAtTheCredentialEndpoint(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *cluster) {
		const here = testOrigin + "/i/" + traffic
		plain, bound := c.token(here), c.bound(here)
		thief := *c
		thief.key, _ = dpoptest.NewKey(t)
		query := credentialPath + "?access_token="
		for name, r := range map[string]struct {
			status int
			target string
			header []string
		}{
			"twin: bearer":                {400, "", []string{"Authorization", "Bearer " + plain}},
			"twin: bound":                 {400, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(bound)}},
			"no token":                    {401, "", nil},
			"in the query":                {401, query + plain, nil},
			"in the query, another ahead": {401, query + plain, []string{"Authorization", "Bearer x"}},
			"two headers":                 {401, "", []string{"Authorization", "Bearer " + plain, "Authorization", "Bearer " + plain}},
			"other scheme":                {401, "", []string{"Authorization", "Basic " + plain}},
			"for another issuer":          {401, "", []string{"Authorization", "Bearer " + c.token(testOrigin+"/i/"+market)}},
			"for the provider":            {401, "", []string{"Authorization", "Bearer " + c.token(testOrigin)}},
			"for a longer address":        {401, "", []string{"Authorization", "Bearer " + c.token(here+"/")}},
			"expired":                     {401, "", []string{"Authorization", "Bearer " + c.token(here, "exp", time.Now().Add(-time.Second).Unix())}},
			"of another server":           {401, "", []string{"Authorization", "Bearer " + c.token(here, "iss", "https://evil.example")}},
			"of a grant that isn't":       {401, "", []string{"Authorization", "Bearer " + c.token(here, "gid", "none")}},
			"of another client":           {401, "", []string{"Authorization", "Bearer " + c.token(here, "client_id", "x")}},
			"signature cut":               {401, "", []string{"Authorization", "Bearer " + plain[:len(plain)-4]}},
			"DPoP stripped":               {401, "", []string{"Authorization", "Bearer " + bound}},
			"scheme stripped":             {401, "", []string{"Authorization", "Bearer " + bound, "DPoP", c.proof(bound)}},
			"proof stripped":              {401, "", []string{"Authorization", "DPoP " + bound}},
			"bearer as DPoP":              {401, "", []string{"Authorization", "DPoP " + plain, "DPoP", c.proof(plain)}},
			"another key":                 {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", thief.proof(bound)}},
			"proof for another token":     {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(plain)}},
			"proof for another address":   {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(bound, "htu", testOrigin+"/token")}},
			"proof for another method":    {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(bound, "htm", "GET")}},
			"old proof":                   {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(bound, "iat", time.Now().Add(-10*time.Minute).Unix())}},
			"two proofs":                  {401, "", []string{"Authorization", "DPoP " + bound, "DPoP", c.proof(bound), "DPoP", c.proof(bound)}},
		} {
			target := r.target
			if target == "" {
				target = credentialPath
			}
			rec := c.ask(0, target, r.header...)
			if rec.Code != r.status || r.status == 401 && (rec.Header().Get("WWW-Authenticate") == "" || strings.Contains(rec.Body.String(), `"credential"`)) {
				t.Errorf("P08 %s: %d %s, want %d", name, rec.Code, rec.Body, r.status)
			}
		}
	})
}

// TestP08ProofRaced: one DPoP proof, 20 times at once on two nodes.
func TestP08ProofRaced(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *cluster) {
		bound := c.bound(testOrigin + "/i/" + traffic)
		for range 3 {
			proof := c.proof(bound)
			var wg sync.WaitGroup
			var mu sync.Mutex
			got := map[int]int{}
			for i := range 20 {
				wg.Go(func() {
					rec := c.ask(i%2, credentialPath, "Authorization", "DPoP "+bound, "DPoP", proof)
					mu.Lock()
					defer mu.Unlock()
					got[rec.Code]++
				})
			}
			wg.Wait()
			if got[400] != 1 || got[401] != 19 {
				t.Fatalf("P08: %v", got)
			}
		}
	})
}
