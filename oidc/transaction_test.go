package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc"
)

// A login that takes a second connection while it holds the transaction's one stands still when all others wait for its lock: it must read
// everything through the transaction, also a client that the node's cache has just forgotten.
func TestALoginReadsOnlyThroughItsTransaction(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get(e.nodes[0].URL + "/authorize?" + request("app").Encode())
		must(t, err)
		resp.Body.Close()
		flow := strings.Trim(strings.TrimPrefix(resp.Header.Get("Location"), "/login/"), "/")
		if flow == "" {
			t.Fatalf("no flow: %d %s", resp.StatusCode, resp.Header.Get("Location"))
		}
		e.clock.add(time.Minute) // past the registry's cache
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, c := range resp.Cookies() {
			r.AddCookie(c)
		}
		// Whatever asks the database by the request's context, and not by the transaction's, fails.
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		must(t, e.db.InTx(context.Background(), func(ctx context.Context) error {
			_, err := e.op.LoggedIn(ctx, r.WithContext(gone), flow, oidc.Login{PersonID: "p-li", Province: "440000", ACR: "loa3", AuthTime: e.clock.Now()})
			return err
		}))
	})
}
