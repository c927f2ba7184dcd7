package issuer_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// When the key is asked to sign, the record is already durable: another connection sees it.
func TestRecordedBeforeSigned(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := sqltest.Open(t, w.dsn)
		signed := 0
		w.signers.onSign = func() {
			signed++
			var n int
			must(t, other.QueryRow(context.Background(), `SELECT COUNT(*) FROM issuer_issuances`).Scan(&n))
			if n != signed {
				t.Errorf("P15 signing number %d with %d records", signed, n)
			}
		}
		for range 3 {
			if a := w.request(w.personToken("loa3"), credentialBody(w.proof(nil))); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		w.signers.onSign = func() { panic("the key's device is gone") }
		if a := w.request(w.personToken("loa3"), credentialBody(w.proof(nil))); a.status != 500 || strings.Contains(string(a.body), "device") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if n := w.count("issuer_issuances"); n != 4 {
			t.Errorf("%d records, not 4: what was about to be signed is on record", n)
		}
	})
}

// faulty fails a record at a chosen point.
type faulty struct {
	issuer.Store
	before, after error
}

func (f *faulty) Record(ctx context.Context, i issuer.Issued, n issuer.Limit, ev audit.Event) error {
	if f.before != nil {
		return f.before
	}
	if err := f.Store.Record(ctx, i, n, ev); err != nil {
		return err
	}
	return f.after
}

// A fault at any point of the transaction leaves no trace of it, signs nothing, and lets the wallet try again with the same nonce.
func TestAFaultWhileRecordingLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f := &faulty{Store: w.store}
		w.wrapStore(f)
		signed := 0
		w.signers.onSign = func() { signed++ }
		body, bearer := credentialBody(w.proof(nil)), w.personToken("loa3")
		for name, fault := range map[string]faulty{"before the record": {before: errors.New("disk full")}, "after it": {after: errors.New("disk full")}} {
			f.before, f.after = fault.before, fault.after
			if a := w.request(bearer, body); a.status != 500 || strings.Contains(string(a.body), "disk") {
				t.Errorf("P15 %s: %d %s", name, a.status, a.body)
			}
			n := w.count("issuer_issuances") + w.count("issuer_grants") + w.count("status_entries") + w.count("claims")
			if n != 0 || signed != 0 {
				t.Errorf("P15 %s: %d rows, %d signatures", name, n, signed)
			}
		}
		f.before, f.after = nil, nil
		if a := w.request(bearer, body); a.status != 200 || signed != 1 {
			t.Errorf("afterwards: %d %s, %d signatures", a.status, a.body, signed)
		}
	})
}

// TestChildIssues is the process that TestKillWhileIssuing kills. It prints what it signs before it signs.
func TestChildIssues(t *testing.T) {
	dsn := os.Getenv("HUFU_ISSUER_CHILD")
	if dsn == "" {
		t.Skip("a part of TestKillWhileIssuing")
	}
	w := newWorld(t, dsn)
	w.signers.onSign = func() { fmt.Println("signing") }
	for began := time.Now(); time.Since(began) < time.Minute; { // a child without a parent ends too
		a := w.request(w.personToken("loa3"), credentialBody(w.proof(nil)))
		if a.status != 200 {
			fmt.Printf("fault %d %s\n", a.status, a.body)
			continue
		}
		jwt := strings.Split(strings.SplitN(string(a.body), `"credential":"`, 2)[1], ".")
		payload, err := base64.RawURLEncoding.DecodeString(jwt[1])
		must(t, err)
		sum := sha256.Sum256(payload)
		fmt.Println("issued " + base64.RawURLEncoding.EncodeToString(sum[:]))
	}
}

// A server killed while it issues has no credential without a record, no index used twice and no lost acknowledgement.
func TestKillWhileIssuing(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			w := newWorld(t, dsn)
			issued, signing := 0, 0
			for round := range rounds {
				i, s := killOnce(t, w, dsn, time.Duration(1+round%7)*9*time.Millisecond)
				issued, signing = issued+i, signing+s
			}
			records := w.count("issuer_issuances")
			var distinct int
			must(t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM
				(SELECT DISTINCT status_uri, status_index FROM issuer_issuances) AS d`).Scan(&distinct))
			if records < signing || signing < issued || distinct != records || w.count("status_entries") != records || issued == 0 {
				t.Errorf("P15 issued %d, signed %d, recorded %d, distinct indices %d, reserved %d",
					issued, signing, records, distinct, w.count("status_entries"))
			}
			t.Logf("issued %d, signed %d, recorded %d", issued, signing, records)
		})
	}
}

// killOnce starts a child, kills it a while after its first credential, and checks everything that it acknowledged.
func killOnce(t *testing.T, w *world, dsn string, after time.Duration) (issued, signing int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildIssues$", "-test.count=1")
	cmd.Env = append(os.Environ(), "HUFU_ISSUER_CHILD="+dsn)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kind, hash, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "signing":
			signing++
		case "fault":
			t.Errorf("child: %s", lines.Text())
		case "issued":
			if issued++; issued == 1 {
				time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			}
			var n int
			must(t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM issuer_issuances WHERE payload_hash = $1`, hash).Scan(&n))
			if n != 1 {
				t.Errorf("P15 an issued credential has %d records", n)
			}
		}
	}
	_ = cmd.Wait()
	return issued, signing
}
