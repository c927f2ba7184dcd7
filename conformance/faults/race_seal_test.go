//go:build conformance

package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// sealers are the people who work with seals in the cluster, and their organisations: two of the maker, two of the owner.
var sealers = []struct{ id, organisation string }{{"maker-1", sample.SealMakerCode}, {"maker-2", sample.SealMakerCode},
	{"owner-1", sample.TrafficPoliceCode}, {"owner-2", sample.TrafficPoliceCode}}

// writeSealers makes the keys of the people who work with seals.
func (c *cluster) writeSealers(dir string) {
	c.t.Helper()
	c.sealers = map[string]keyFile{}
	for _, s := range sealers {
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			c.t.Fatal(err)
		}
		public, err := key.Public()
		if err != nil {
			c.t.Fatal(err)
		}
		set, err := jose.MarshalJWKS([]jose.JWK{public})
		if err != nil {
			c.t.Fatal(err)
		}
		write(c.t, filepath.Join(dir, s.id+".jwks"), string(set))
		c.sealers[s.id] = keyFile{s.id, key}
	}
}

// sealConfig is the end of a configuration: clients, then the seal maker.
func sealConfig(dir string) string {
	var b strings.Builder
	for _, s := range sealers {
		fmt.Fprintf(&b, `  - id: %q
    name: {zh: 用印人, en: Sealer}
    service: {zh: 电子印章, en: Seals}
    organisation: %q
    auth_method: private_key_jwt
    jwks_file: %q
    grant_types: [client_credentials]
    scopes: [seal]
`, s.id, s.organisation, filepath.Join(dir, s.id+".jwks"))
	}
	fmt.Fprintf(&b, "seal_makers:\n  - {code: %q, name_zh: %q, name_en: %q}\n", sample.SealMakerCode, sample.SealMakerName, sample.SealMakerEnglish)
	return b.String()
}

// sealRace is a seal in the cluster and the people around it.
type sealRace struct {
	c       *cluster
	headers map[string]map[string]string
	seal    string
}

// TestRaceSealsOverTwoNodes fires approvals, suspensions and requests to seal at two processes at once, 200 times 20.
func TestRaceSealsOverTwoNodes(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine sqlstore.Engine) {
		c := newCluster(t, engine)
		s := &sealRace{c: c, headers: map[string]map[string]string{}}
		for id, k := range c.sealers {
			form, err := k.form(origin, "seal")
			if err != nil {
				t.Fatal(err)
			}
			s.headers[id] = bearer(tokenOf(t, c.send(0, postForm("/token", form, nil))))
			s.headers[id]["Content-Type"] = "application/json"
		}
		issue := s.propose(t, "maker-1", `{"operation":"issue","issue":{"owner":{"code":"`+sample.TrafficPoliceCode+`","name":"交管局"},"kind":"99","name":"专用章",
			"document_kinds":["approval"],"valid_to":"`+inAYear()+`"}}`)
		a := c.send(1, s.approval("maker-2", issue))
		var made struct{ Seal string }
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != http.StatusOK {
			t.Fatalf("issuing a seal: %s: %s", a, a.body)
		}
		s.seal = made.Seal
		t.Run("two approvals", s.approvals)
		t.Run("S12 one request id", s.requestIDs)
		t.Run("suspend against sign", s.suspensions)
	})
}

func (s *sealRace) propose(t *testing.T, who, body string) (request string) {
	t.Helper()
	var r struct{ ID string }
	if err := s.c.do(0, shot{http.MethodPost, "/seals/v1/requests", s.headers[who], body, 0}, http.StatusOK, &r); err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func (s *sealRace) approval(who, request string) shot {
	return shot{http.MethodPost, "/seals/v1/requests/" + request + "/approve", s.headers[who], "", 0}
}

func (s *sealRace) change(t *testing.T, op string) (request string) {
	return s.propose(t, "owner-1", fmt.Sprintf(`{"operation":%q,"seal":%q,"reason":"race"}`, op, s.seal))
}

func (s *sealRace) sign(n, digest int) shot {
	return shot{http.MethodPost, "/seals/v1/seals/" + s.seal + "/sign", s.headers["owner-1"],
		fmt.Sprintf(`{"request_id":"race-%016d","sha256":"%064x"}`, n, digest+1), 0}
}

// approvals has three people approve each change 20 times at once: it is done once.
func (s *sealRace) approvals(t *testing.T) {
	r := &result{name: "approval"}
	s.c.race(t, r, things, rule{winners: 1, won: ok, lost: problem(http.StatusConflict, "already_decided")}, func(i int) []shot {
		request := s.change(t, []string{"suspend", "resume"}[i%2])
		shots := make([]shot, copies)
		for k := range shots {
			shots[k] = s.approval([]string{"owner-2", "maker-1", "maker-2"}[k%3], request)
		}
		return shots
	})
	r.report(t)
	if n := count(t, s.c.db, `SELECT COUNT(*) FROM seal_changes WHERE seal_id = $1`, s.seal); n != things+1 {
		t.Errorf("the history has %d rows, want %d", n, things+1)
	}
	if n := count(t, s.c.db, `SELECT COUNT(*) FROM audit_events WHERE kind = 'eseal.state_changed'`); n != things {
		t.Errorf("the trail knows %d changes, want %d", n, things)
	}
}

// requestIDs sends each request to seal 20 times at once: all get a signature of the same record.
func (s *sealRace) requestIDs(t *testing.T) {
	r := &result{name: "request id"}
	s.c.race(t, r, things, rule{winners: copies, won: ok, lost: func(answer) bool { return false }}, func(i int) []shot { return same(s.sign(i, i)) })
	r.report(t)
	fresh, headers := 0, map[string]string{}
	for _, a := range r.winning {
		sealed := readSealed(t, a.body)
		if !sealed.Repeated {
			fresh++
		}
		if before, ok := headers[sealed.Use.RequestID]; ok && before != sealed.protected {
			t.Errorf("two headers were signed for %s", sealed.Use.RequestID)
		}
		headers[sealed.Use.RequestID] = sealed.protected
	}
	if fresh != things || count(t, s.c.db, `SELECT COUNT(*) FROM seal_uses`) != things {
		t.Errorf("%d uses were recorded for %d request ids", fresh, things)
	}
	checkUses(t, s.c.db, headers)
	if a := s.c.send(0, s.sign(0, 1)); !problem(http.StatusConflict, "request_id_reused")(a) {
		t.Errorf("another digest under a used request id: %s", a)
	}
}

// suspensions approves each suspension among requests to seal: what was sealed was sealed before.
func (s *sealRace) suspensions(t *testing.T) {
	sealed, late := 0, 0
	for i := range things {
		shots := []shot{s.approval("owner-2", s.change(t, "suspend"))}
		for k := range copies - 1 {
			n := 1000 + i*copies + k
			shots = append(shots, s.sign(n, n))
		}
		shots[0], shots[i%copies] = shots[i%copies], shots[0]
		for k, a := range s.c.volley(shots) {
			switch {
			case k == i%copies && ok(a): // the suspension
			case k != i%copies && ok(a):
				sealed++
			case k != i%copies && problem(http.StatusConflict, "seal_not_active", "changed_meanwhile")(a):
				late++
			default:
				t.Fatalf("round %d: %s: %s", i, a, a.body)
			}
		}
		if a := s.c.send(i%2, s.approval("owner-2", s.change(t, "resume"))); !ok(a) {
			t.Fatalf("resuming: %s: %s", a, a.body)
		}
	}
	t.Logf("%d suspensions: %d documents were sealed before, %d came too late", things, sealed, late)
	if n := count(t, s.c.db, `SELECT COUNT(*) FROM seal_uses`); int(n) != things+sealed {
		t.Errorf("%d uses are recorded, %d were acknowledged", n, things+sealed)
	}
	checkStates(t, s.c.db)
}

// checkStates holds the claimed time of every use against the seal's history: the seal was active then.
func checkStates(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	if n := count(t, db, `SELECT COUNT(*) FROM seal_changes a JOIN seal_changes b ON a.seal_id = b.seal_id AND b.seq = a.seq + 1
		WHERE b.effective_at < a.effective_at`); n != 0 {
		t.Errorf("the history goes back %d times", n)
	}
	rows, err := db.Query(context.Background(), `SELECT protected, seal_id FROM seal_uses`)
	if err != nil {
		t.Fatal(err)
	}
	type use struct{ protected, seal string }
	var uses []use
	for rows.Next() {
		var u use
		if err := rows.Scan(&u.protected, &u.seal); err != nil {
			t.Fatal(err)
		}
		uses = append(uses, u)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	for _, u := range uses {
		var header struct{ Iat int64 }
		if err := json.Unmarshal([]byte(u.protected), &header); err != nil {
			t.Fatal(err)
		}
		var state string
		if err := db.QueryRow(context.Background(), `SELECT to_state FROM seal_changes WHERE seal_id = $1 AND effective_at <= $2 ORDER BY seq DESC LIMIT 1`,
			u.seal, header.Iat*1_000_000).Scan(&state); err != nil || state != "active" {
			t.Errorf("a use claims %d, when the seal was %q: %v", header.Iat, state, err)
		}
	}
}
