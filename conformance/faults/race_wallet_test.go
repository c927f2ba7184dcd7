//go:build conformance

package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// TestRaceTakeAgainstRevoke takes each of 200 licences 19 times at once into the hosted wallet, over two nodes, while the department revokes it. Afterwards no
// credential of a revoked licence has a valid place on a status list, every issued one has a record, and one copy at most is current.
func TestRaceTakeAgainstRevoke(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine sqlstore.Engine) {
		c := newCluster(t, engine)
		ids := c.importMany(t, things/4) // each take makes two copies, and the page reads all her licences
		b := c.browser(t, rpCallback)
		if page := b.Get(origin + "/wallet").LogIn(liXiuying); page.Status != http.StatusOK {
			t.Fatalf("the wallet: %s", page)
		}
		var cookies []string
		for _, ck := range b.Cookies(origin + "/") {
			cookies = append(cookies, ck.Name+"="+ck.Value)
		}
		citizen := map[string]string{"Cookie": strings.Join(cookies, "; "), "Origin": origin, "Accept": "text/html"}
		taken := func(a answer) bool {
			return a.err == nil && a.status == http.StatusSeeOther && strings.HasPrefix(a.location, "/wallet/licences/")
		}
		late := func(a answer) bool {
			return a.err == nil && (a.status == http.StatusConflict || a.status == http.StatusTooManyRequests)
		}
		department, begun, start := c.department(t), time.Now(), time.Now()
		takes, lates, faults := 0, 0, 0
		for i, id := range ids {
			if time.Since(begun) > time.Minute {
				department, begun = c.department(t), time.Now()
			}
			shots := same(postForm("/wallet/take", url.Values{"licence": {id}}, citizen))
			shots[i%copies] = shot{http.MethodPost, "/register/v1/licences/" + id + "/status", department, `{"operation":"revoke","reason":"race"}`,
				time.Duration(i%5) * 40 * time.Millisecond} // taking takes longer than revoking: at one moment the same side would always win
			for k, a := range c.volley(shots) {
				switch {
				case k == i%copies && ok(a):
				case k != i%copies && taken(a):
					takes++
				case k != i%copies && late(a):
					lates++
				default:
					if faults++; faults < 5 {
						t.Errorf("%d: shot %d answered %s: %.300s\n%s", i, k, a, a.body, c.nodes[a.node].tail())
					}
				}
			}
		}
		t.Logf("%d licences in %s: %d copies taken, %d too late, %d faults", len(ids), time.Since(start).Round(time.Second), takes, lates, faults)
		if takes == 0 || lates == 0 {
			t.Error("one side always won: this was no race")
		}
		for what, query := range map[string]string{
			"valid entries of revoked licences":    `SELECT COUNT(*) FROM status_entries WHERE value = 0 AND next_value = 0`,
			"issuances without an entry":           `SELECT COUNT(*) FROM issuer_issuances i WHERE NOT EXISTS (SELECT 1 FROM status_entries e WHERE e.issuance_id = i.id)`,
			"licences with several current copies": `SELECT COUNT(*) FROM (SELECT licence_id FROM wallet_copies WHERE state = 'ready' GROUP BY licence_id HAVING COUNT(*) > 1) x`,
			"copies that are half done":            `SELECT COUNT(*) FROM wallet_copies WHERE state = 'making'`,
			"ended copies whose key can sign":      `SELECT COUNT(*) FROM wallet_copies c JOIN key_singles k ON k.thing = c.id WHERE c.state = 'gone' AND k.destroyed_at = 0`,
		} {
			if n := count(t, c.db, query); n != 0 {
				t.Errorf("%s: %d", what, n)
			}
		}
		if n := count(t, c.db, `SELECT COUNT(*) FROM issuer_issuances`); n < int64(takes) {
			t.Errorf("%d credentials are recorded, %d were taken", n, takes)
		}
		// The twin: a licence that nobody revokes can be taken, and the entries of its two copies, one for each format, are valid.
		id := c.importMany(t, 1)[0]
		if a := c.send(0, postForm("/wallet/take", url.Values{"licence": {id}}, citizen)); !taken(a) || count(t, c.db, `SELECT COUNT(*) FROM status_entries WHERE value = 0 AND next_value = 0`) != 2 {
			t.Errorf("a licence in force: %s", a)
		}
	})
}

// importMany registers n licences of Li Xiuying and returns their identifiers.
func (c *cluster) importMany(t *testing.T, n int) []string {
	t.Helper()
	p, _ := sample.NewWorld().Person("li-xiuying")
	var list []any
	for i := range n {
		list = append(list, map[string]any{"type": licenceType, "record_number": fmt.Sprintf("TAKE-%d-%d", n, i), "valid_from": "2023-05-21", "valid_to": "2029-05-21",
			"holder": map[string]any{"name": p.Name, "code": p.ResidentID, "code_type": "111", "reference": p.Slug},
			"fields": records.Driving(p, "C1", "2023-05-21", "994400000001")})
	}
	body, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	a := c.send(1, shot{http.MethodPost, "/register/v1/licences", c.department(t), string(body), 0})
	var report struct {
		Created int `json:"created"`
		Records []struct {
			ID string `json:"licence_id"`
		} `json:"records"`
	}
	if err := json.Unmarshal([]byte(a.body), &report); err != nil || report.Created != n {
		t.Fatalf("import: %s: %.600s", a, a.body)
	}
	ids := make([]string, n)
	for i, l := range report.Records {
		ids[i] = l.ID
	}
	return ids
}
