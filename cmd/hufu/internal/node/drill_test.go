package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/hostedports"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/internal/sqlstore/reissuestore"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// drillSize is how many copies are issued again: 1,000, or what HUFU_DRILL says.
func drillSize(t *testing.T) int {
	text := os.Getenv("HUFU_DRILL")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("HUFU_DRILL is %q, want a number from 10", text)
	}
	return n
}

// drill is a server whose hosted wallet holds a copy for each of many people.
type drill struct {
	t       *testing.T
	o       Options
	n       *Node
	people  []string
	licence []string
}

func (d *drill) start() {
	d.t.Helper()
	n, err := Open(d.t.Context(), d.o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.n = n
}

func newDrill(t *testing.T, size int) *drill {
	t.Helper()
	kek, _ := keys.NewKEK()
	const code = "1199440000TRY002X9"
	d := &drill{t: t, o: Options{KEK: kek, Migrate: true, AllowHTTP: true, Config: Config{Origin: testOrigin, Database: "sqlite:" + filepath.Join(t.TempDir(), "hufu.db"),
		Authorities: []AuthorityConfig{{Code: code, NameZH: "沙箱省公安厅交通管理局", NameEN: "Sandbox Traffic Police", Types: []string{"driving-licence"}}}}}}
	d.start()
	t.Cleanup(func() { d.n.Close() })
	for from := 0; from < size; from += 500 {
		var list []register.ImportRecord
		for i := from; i < min(from+500, size); i++ {
			id, err := gb.MakeResidentID("994401", time.Date(1960, 1, 1+i/400, 0, 0, 0, 0, time.UTC), i%400*2)
			if err != nil {
				t.Fatal(err)
			}
			p := sample.Person{Slug: "drill", Name: "李秀英", English: "Li Xiuying", ResidentID: string(id), Birthdate: id.Birthdate(), Gender: "female"}
			resolved, err := d.n.persons.Resolve(t.Context(), upstream.Assertion{Province: "440000", Subject: strconv.Itoa(i), Level: 4, AuthTime: time.Now(),
				Claims: upstream.Claims{Name: p.Name, ResidentID: p.ResidentID, Birthdate: p.Birthdate}}, 4)
			if err != nil {
				t.Fatal(err)
			}
			d.people = append(d.people, resolved.PersonID)
			fields, err := json.Marshal(records.Driving(p, "C1", "2023-05-21", fmt.Sprintf("9944%08d", i)))
			if err != nil {
				t.Fatal(err)
			}
			r := register.ImportRecord{Type: "driving-licence", RecordNumber: fmt.Sprintf("D-%06d", i), ValidFrom: "2023-05-21", ValidTo: "2029-05-21",
				Holder: register.Holder{Name: p.Name, CodeType: residentCard, Code: p.ResidentID}}
			if err := json.Unmarshal(fields, &r.Fields); err != nil {
				t.Fatal(err)
			}
			list = append(list, r)
		}
		report, err := d.n.register.Import(t.Context(), register.Department{Code: code, ClientID: "drill"}, list)
		if err != nil || report.Created != len(list) {
			t.Fatalf("%d of %d registered: %v %+v", report.Created, len(list), err, report.Records[0])
		}
		for _, line := range report.Records {
			d.licence = append(d.licence, line.LicenceID)
		}
	}
	for i, person := range d.people {
		if err := d.n.renewals.Renew(t.Context(), person, d.licence[i]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// signers counts the current copies by the key that signed them.
func (d *drill) signers() map[string]int {
	d.t.Helper()
	rows, err := d.n.db.Query(d.t.Context(), `SELECT i.signer_key, COUNT(*) FROM wallet_holdings h JOIN key_singles k ON k.class = 'holder' AND k.thing = h.copy_id
		JOIN issuer_issuances i ON i.holder_key = k.id WHERE k.handle <> '' GROUP BY i.signer_key`)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			d.t.Fatal(err)
		}
		out[key] = n
	}
	return out
}

// dying is the hosted wallet on a node that dies at a chosen renewal: after the copy was replaced, before anybody noted it.
type dying struct {
	hostedports.Renewals
	left   atomic.Int64
	cancel context.CancelFunc
}

func (r *dying) Renew(ctx context.Context, personID, licenceID string) error {
	err := r.Renewals.Renew(context.WithoutCancel(ctx), personID, licenceID)
	if r.left.Add(-1) == 0 {
		r.cancel()
	}
	return err
}

// T10: the drill of the day after. The key that signed everybody's copies is stolen: it is revoked, and all copies are issued again by the new key, with
// three deaths of the server in between, at a bounded rate, with a report at the end. Nobody is left out, nobody is served twice.
func TestT10ReissueAfterTheTheftOfAKey(t *testing.T) {
	size := drillSize(t)
	d := newDrill(t, size)
	const revoked = 3 // people whose licence isn't in force any more
	for i := range revoked {
		if _, err := d.n.db.Exec(t.Context(), `UPDATE licences SET status = '07' WHERE id = $1`, d.licence[i]); err != nil {
			t.Fatal(err)
		}
	}
	theft, err := d.n.keys.Revoke(t.Context(), keys.Credential("1199440000TRY002X9"), keys.RevokeOptions{CompromisedAt: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.signers(); got[theft.Retired] != size || len(got) != 1 {
		t.Fatalf("before: %v", got)
	}
	begin := time.Now()
	rate := max(200, size/10)
	job, err := d.n.reissue.Begin(t.Context(), theft.Retired, rate, "operator")
	if err != nil {
		t.Fatal(err)
	}
	for death := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		r := &dying{Renewals: d.n.renewals, cancel: cancel}
		r.left.Store(int64(size / 10))
		service := reissue.New(reissue.Config{Store: reissuestore.New(d.n.db), Renewer: r})
		for ctx.Err() == nil {
			if err := service.Step(ctx); err != nil && ctx.Err() == nil {
				t.Fatal(err)
			}
		}
		d.n.Close()
		d.start()
		if got := d.signers(); got[theft.Retired] == 0 || got[theft.Activated] < (death+1)*size/10 {
			t.Fatalf("after death %d: %v", death, got)
		}
	}
	for steps := 0; ; steps++ {
		before := d.signers()[theft.Activated]
		if err := d.n.reissue.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if renewed := d.signers()[theft.Activated] - before; renewed > rate {
			t.Errorf("%d copies in one step, at a rate of %d", renewed, rate)
		}
		jobs, err := d.n.reissue.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if j := jobs[0]; j.State == reissue.Finished {
			if len(jobs) != 1 || j.ID != job.ID || j.Renewed != int64(size-revoked) || j.Gone != revoked || j.Failed != 0 || j.Waiting != 0 || j.FinishedAt.IsZero() {
				t.Errorf("report: %+v", j)
			}
			break
		}
		if steps > 1000 {
			t.Fatalf("no end: %+v", jobs[0])
		}
	}
	t.Logf("%d copies issued again in %s", size, time.Since(begin).Round(time.Millisecond))
	if got := d.signers(); got[theft.Retired] != revoked || got[theft.Activated] != size-revoked {
		t.Errorf("after: %v", got)
	}
	var issued int
	if err := d.n.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM issuer_issuances WHERE signer_key = $1`, theft.Activated).Scan(&issued); err != nil {
		t.Fatal(err)
	}
	if issued != size-revoked {
		t.Errorf("%d credentials were signed by the new key for %d copies", issued, size-revoked)
	}
	if err := d.n.reissue.Step(t.Context()); err != nil {
		t.Errorf("a step without a job: %v", err)
	}
}
