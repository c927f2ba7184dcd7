package node

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore/issuerstore"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// TestAnOfferIsRenewedLongAfterItEnded: the whole server: what a sweep leaves of a redeemed offer is enough for its issuer.
func TestAnOfferIsRenewedLongAfterItEnded(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *cluster) {
		w := oidc.Client{ID: "renewer", Name: web.Plain("w"), Service: web.Plain("w"), AuthMethod: client.SecretPost, SecretHash: client.HashSecret("s"),
			GrantTypes: []string{client.PreAuthorizedCode, client.RefreshToken}, Scopes: []string{"driving-licence"}}
		if err := c.nodes[0].provider.Clients().Put(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		post := func(node int, form url.Values) (status int, access, refresh string) {
			form.Set("client_id", w.ID)
			form.Set("client_secret", "s")
			req := httptest.NewRequest(http.MethodPost, testOrigin+"/token", strings.NewReader(form.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := httptest.NewRecorder()
			c.nodes[node].Handler().ServeHTTP(rec, req)
			var answer struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			}
			_ = json.Unmarshal(rec.Body.Bytes(), &answer)
			return rec.Code, answer.Access, answer.Refresh
		}
		status, _, refresh := post(0, c.offer(c.licence()))
		if status != http.StatusOK || refresh == "" {
			t.Fatal(status, refresh)
		}
		left := c.offer(c.licence()) // nobody takes this one
		offers := issuerstore.New(c.nodes[0].db)
		if n, err := offers.DeleteExpired(t.Context(), time.Now().Add(48*time.Hour), 100); err != nil || n != 1 {
			t.Fatalf("the other offer goes, and nothing else: %d %v", n, err)
		}
		if status, _, _ := post(0, left); status != http.StatusBadRequest {
			t.Errorf("an offer that is gone: %d", status)
		}
		status, access, _ := post(1, url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {refresh}})
		if status != http.StatusOK {
			t.Fatal(status)
		}
		token, err := accessTokens{c.nodes[1]}.Validate(t.Context(), access, testOrigin+"/i/"+traffic)
		if err != nil || token.OfferID == "" || token.PersonID != "" || token.ClientID != w.ID {
			t.Errorf("%+v %v", token, err)
		}
		if o, err := offers.Offer(t.Context(), token.OfferID); err != nil || o.RedeemedAt.IsZero() {
			t.Errorf("what the issuer decides by: %+v %v", o, err)
		}
		// The token is good there: what is refused is the configuration that it asks for.
		if rec := c.ask(1, "/i/"+traffic+"/credential", "Authorization", "Bearer "+access); !strings.Contains(rec.Body.String(), "unknown_credential_configuration") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
