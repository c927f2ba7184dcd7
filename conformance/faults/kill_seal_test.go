//go:build conformance

package faults_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/signing/bundle"
)

// TestKillDuringSealing kills the server again and again while departments seal and the seal maker issues, and starts it again on the same data. No
// signature is without its record, no request id has two, every seal that was recorded gets its credential, and sealing goes on.
func TestKillDuringSealing(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine sqlstore.Engine) {
		k := newSealWorld(t, engine)
		rounds, begin := killRounds(t), time.Now()
		for round := range rounds {
			stop := k.work()
			time.Sleep(time.Duration(20+mathrand.IntN(300)) * time.Millisecond)
			k.app.Kill()
			stop()
			k.app.Restart()
			if got := k.app.Ready.Seals[0].ID; got != k.workers[0].seal {
				t.Fatalf("after a restart the sample seal is %s", got)
			}
			k.check()
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
		}
		before := len(k.signed())
		stop := k.work()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && len(k.signed())-before < 5*killWorkers; {
			time.Sleep(20 * time.Millisecond)
		}
		stop()
		if n := len(k.signed()) - before; n < 5*killWorkers {
			t.Errorf("after the last kill only %d documents were sealed", n)
		}
		k.check()
		k.checkSeals()
		interrupted, issued := 0, count(t, k.db, `SELECT COUNT(*) FROM seals`)
		for _, w := range k.workers {
			interrupted += w.interrupted
		}
		t.Logf("%d kills in %s: %d documents sealed and acknowledged, %d recorded, %d interrupted; %d seals", rounds, time.Since(begin).Round(time.Second),
			len(k.signed()), count(t, k.db, `SELECT COUNT(*) FROM seal_uses`), interrupted, issued)
		k.app.Stop() // the trail is read while nobody writes
		(&killWorld{t: t, db: k.db}).checkTrail()
	})
}

// sealWorld is a server that is killed, and who works with seals there.
type sealWorld struct {
	t       *testing.T
	app     *apptest.App
	db      *sqlstore.DB
	workers []*sealWorker
	maker   *issuing
}

func newSealWorld(t *testing.T, engine sqlstore.Engine) *sealWorld {
	t.Helper()
	o := apptest.Options{Data: t.TempDir()}
	dsn := "sqlite:" + filepath.Join(o.Data, "hufu.db")
	if engine == sqlstore.PostgreSQL {
		o.Database = sqltest.DSN(t, engine)
		dsn = o.Database
	}
	k := &sealWorld{t: t, app: apptest.Start(t, o)}
	db, err := sqlstore.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k.db = db
	s, m := k.app.Ready.Seals[0], k.app.Ready.SealMakers[0]
	for range killWorkers {
		k.workers = append(k.workers, &sealWorker{t: t, key: readKeyFile(t, s.KeyFile), origin: k.app.Ready.Issuer, seal: s.ID})
	}
	k.maker = &issuing{people: [2]keyFile{readKeyFile(t, m.KeyFile), readKeyFile(t, m.SecondKeyFile)}, origin: k.app.Ready.Issuer, owner: s.OwnerCode}
	return k
}

// work starts everybody; the returned function lets them end their step and waits.
func (k *sealWorld) work() (stop func()) {
	var stopped atomic.Bool
	var all sync.WaitGroup
	steps := []func() error{k.maker.step}
	for _, w := range k.workers {
		steps = append(steps, w.step)
	}
	for _, step := range steps {
		all.Go(func() {
			for !stopped.Load() {
				err := step()
				if errors.Is(err, errRefused) {
					k.t.Error(err)
				}
				if err != nil {
					return // the server is gone; the same step comes again in the next round
				}
			}
		})
	}
	return func() { stopped.Store(true); all.Wait() }
}

// signed are all headers under signatures that somebody received, by request id.
func (k *sealWorld) signed() map[string]string {
	out := map[string]string{}
	for _, w := range k.workers {
		w.mu.Lock()
		for id, protected := range w.signed {
			out[id] = protected
		}
		w.mu.Unlock()
	}
	return out
}

// check holds the database against what everybody was told.
func (k *sealWorld) check() {
	k.t.Helper()
	checkUses(k.t, k.db, k.signed())
	if uses, events := count(k.t, k.db, `SELECT COUNT(*) FROM seal_uses`), count(k.t, k.db, `SELECT COUNT(*) FROM audit_events WHERE kind = 'eseal.document_sealed'`); uses != events {
		k.t.Errorf("%d uses and %d audit events of uses", uses, events)
	}
	if n := count(k.t, k.db, `SELECT COUNT(*) FROM seals s WHERE NOT EXISTS (SELECT 1 FROM seal_changes c WHERE c.seal_id = s.id AND c.seq = 1)`); n != 0 {
		k.t.Errorf("%d seals without a history", n)
	}
	if n := count(k.t, k.db, `SELECT COUNT(*) FROM seals s WHERE NOT EXISTS (SELECT 1 FROM key_singles k WHERE k.class = 'seal' AND k.thing = s.id)`); n != 0 {
		k.t.Errorf("%d seals without a key", n)
	}
}

// checkSeals asks for every seal: also one whose maker died before signing it has a credential, over the recorded payload.
func (k *sealWorld) checkSeals() {
	k.t.Helper()
	unsigned := count(k.t, k.db, `SELECT COUNT(*) FROM seals WHERE credential = ''`)
	key := k.maker.people[0]
	token, err := key.token(k.app.Ready.Issuer, "seal")
	if err != nil {
		k.t.Fatal(err)
	}
	hashes := map[string]string{}
	rows, err := k.db.Query(context.Background(), `SELECT id, payload_hash FROM seals`)
	if err != nil {
		k.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, hash string
		if err := rows.Scan(&id, &hash); err != nil {
			k.t.Fatal(err)
		}
		hashes[id] = hash
	}
	for id, hash := range hashes {
		var seal struct{ Credential string }
		req, err := http.NewRequest(http.MethodGet, k.app.Ready.Issuer+"/seals/v1/seals/"+id, nil)
		if err != nil {
			k.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := plain.Do(req)
		if err != nil {
			k.t.Fatal(err)
		}
		err = json.NewDecoder(res.Body).Decode(&seal)
		_ = res.Body.Close()
		if err != nil || payloadHash(seal.Credential) != hash {
			k.t.Errorf("seal %s: its credential is not the recorded one: %v", id, err)
		}
	}
	if _, err := bundle.Verify((&killWorld{t: k.t}).fetch(k.app.Ready.RootURL), (&killWorld{t: k.t}).fetch(k.app.Ready.BundleURL), time.Now()); err != nil {
		k.t.Errorf("the bundle: %v", err)
	}
	k.t.Logf("%d seals were recorded and not signed when the process died", unsigned)
}

// sealWorker seals one document after the other. A request that the kill interrupted is sent again after the restart.
type sealWorker struct {
	t            *testing.T
	key          keyFile
	origin, seal string

	bearer, body string
	interrupted  int
	mu           sync.Mutex
	signed       map[string]string
}

func (w *sealWorker) step() (err error) {
	if w.bearer == "" {
		w.bearer, err = w.key.token(w.origin, "seal")
		return err
	}
	if w.body == "" {
		digest := sha256.Sum256([]byte(rand.Text()))
		w.body = fmt.Sprintf(`{"request_id":%q,"sha256":%q}`, rand.Text(), hex.EncodeToString(digest[:]))
	}
	var answer json.RawMessage
	err = call(w.origin+"/seals/v1/seals/"+w.seal+"/sign", "application/json", w.bearer, []byte(w.body), http.StatusOK, &answer)
	if errors.Is(err, errExpired) {
		w.bearer = ""
		return nil
	}
	if err != nil {
		w.interrupted++
		return err
	}
	s := readSealed(w.t, string(answer))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.signed == nil {
		w.signed = map[string]string{}
	}
	w.signed[s.Use.RequestID] = s.protected
	w.body = ""
	return nil
}

// issuing has two people of the seal maker make one seal after the other.
type issuing struct {
	people        [2]keyFile
	origin, owner string
	bearers       [2]string
	request       string
	n             int
}

func (i *issuing) step() (err error) {
	for k := range i.people {
		if i.bearers[k] == "" {
			i.bearers[k], err = i.people[k].token(i.origin, "seal")
			return err
		}
	}
	var r struct{ ID string }
	if i.request == "" {
		err = call(i.origin+"/seals/v1/requests", "application/json", i.bearers[0], fmt.Appendf(nil, `{"operation":"issue","issue":{"owner":{"code":%q,"name":"交管局"},
			"kind":"01","name":"第%d号章","document_kinds":["notice"],"valid_to":%q}}`, i.owner, i.n, inAYear()), http.StatusOK, &r)
		if err == nil {
			i.request = r.ID
		}
	} else {
		request := i.request
		err = call(i.origin+"/seals/v1/requests/"+request+"/approve", "application/json", i.bearers[1], nil, http.StatusOK, &r)
		if err == nil || errors.Is(err, errRefused) && alreadyDecided(err) {
			i.request, err = "", nil
			i.n++
		}
	}
	if errors.Is(err, errExpired) {
		i.bearers, err = [2]string{}, nil
	}
	return err
}
