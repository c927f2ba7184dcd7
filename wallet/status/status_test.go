package status_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/status"
)

type world struct {
	*status.Service
	db  *sqlstore.DB
	key jose.JWK
	now atomic.Int64
	// hold, when set, is called before each signature.
	hold func()
}

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, db *sqlstore.DB, edit func(*status.Config)) *world {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db}
	w.now.Store(start.UnixNano())
	if w.key, err = key.Public(); err != nil {
		t.Fatal(err)
	}
	cfg := status.Config{Store: statusstore.New(db), Tx: db.InTx, Audit: db.Audit, BaseURL: "https://id.example",
		Now: func() time.Time { return time.Unix(0, w.now.Load()).UTC() },
		Signer: func(context.Context) (jose.SigningKey, [][]byte, error) {
			if w.hold != nil {
				w.hold()
			}
			return key, nil, nil
		}}
	if edit != nil {
		edit(&cfg)
	}
	if w.Service, err = status.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) pass(d time.Duration) { w.now.Add(int64(d)) }

func each(t *testing.T, edit func(*status.Config), run func(t *testing.T, w *world)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, newWorld(t, db, edit)) })
}

func (w *world) allocate(t *testing.T, licence string, n int) []status.Ref {
	t.Helper()
	var refs []status.Ref
	for i := range n {
		ref, err := w.Allocate(context.Background(), licence, fmt.Sprint(licence, i), "driving-licence", start.AddDate(0, 0, 90))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	return refs
}

// read gets a list as a stranger does and returns the value of one entry.
func (w *world) read(t *testing.T, ref status.Ref) (uint8, statuslist.Token) {
	t.Helper()
	resp := w.get(t, strings.TrimPrefix(ref.URI, "https://id.example"), nil)
	if resp.code != 200 || resp.header.Get("Content-Type") != statuslist.MediaType {
		t.Fatalf("%s: %d %v", ref.URI, resp.code, resp.header)
	}
	return w.valueIn(t, resp.body, ref)
}

func (w *world) valueIn(t *testing.T, jwt string, ref status.Ref) (uint8, statuslist.Token) {
	t.Helper()
	parsed, err := statuslist.ParseToken(jwt)
	if err != nil {
		t.Fatal(err)
	}
	token, err := parsed.Verify(ref.URI, w.key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.Status(ref.Index, time.Unix(0, w.now.Load()))
	if err != nil {
		t.Fatal(err)
	}
	return uint8(v), token
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (w *world) get(t *testing.T, path string, header http.Header) answer {
	t.Helper()
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	w.Routes(r)
	req := httptest.NewRequest(http.MethodGet, path, nil)
	for k, v := range header {
		req.Header[k] = v
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{rec.Code, rec.Header(), string(body)}
}

func TestAChangeIsPublishedWithinAMinute(t *testing.T) { // Q09
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		refs := w.allocate(t, "a", 5)
		other := w.allocate(t, "b", 1)[0]
		for i, want := range []uint8{status.Suspended, status.Valid, status.Invalid} {
			if err := w.SetForLicence(ctx, "a", want); err != nil {
				t.Fatal(err)
			}
			for range 59 { // one step a second
				if err := w.Publish(ctx); err != nil {
					t.Fatal(err)
				}
				w.pass(time.Second)
			}
			for _, ref := range refs {
				if got, token := w.read(t, ref); got != want || !token.Expires().Equal(token.IssuedAt().AddDate(0, 0, 35)) || token.TTL() != 5*time.Minute {
					t.Fatalf("change %d: %d, %v", i, got, token)
				}
			}
			if got, _ := w.read(t, other); got != status.Valid {
				t.Fatalf("another licence: %d", got)
			}
		}
	})
}

func TestCopiesOfALicenceDontFlipTogether(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		refs := w.allocate(t, "a", 12)
		if err := w.SetForLicence(context.Background(), "a", status.Invalid); err != nil {
			t.Fatal(err)
		}
		if err := w.Publish(context.Background()); err != nil {
			t.Fatal(err)
		}
		flipped := 0
		for _, ref := range refs {
			if v, _ := w.read(t, ref); v == status.Invalid {
				flipped++
			}
		}
		if flipped == 0 || flipped == len(refs) {
			t.Fatalf("%d of %d flipped at once", flipped, len(refs))
		}
	})
}

// The bundle says what the lists say, neither more nor earlier, and all of it within the minute.
func TestTokensForTheBundleKeepTheSpread(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		refs := w.allocate(t, "a", 30)
		if err := w.SetForLicence(ctx, "a", status.Invalid); err != nil {
			t.Fatal(err)
		}
		var moments []int // how many have flipped, second by second
		for range 60 {
			if err := w.Publish(ctx); err != nil {
				t.Fatal(err)
			}
			tokens, err := w.Tokens(ctx)
			if err != nil || len(tokens) != 1 || tokens[0].URI != refs[0].URI {
				t.Fatalf("%v, %v", tokens, err)
			}
			flipped := 0
			for _, ref := range refs {
				v, _ := w.valueIn(t, tokens[0].JWT, ref)
				if served, _ := w.read(t, ref); served != v {
					t.Fatalf("entry %d is %d in the bundle and %d in the list", ref.Index, v, served)
				}
				if v == status.Invalid {
					flipped++
				}
			}
			if n := len(moments); n == 0 || moments[n-1] != flipped {
				moments = append(moments, flipped)
			}
			w.pass(time.Second)
		}
		if moments[0] >= 15 || len(moments) < 12 || moments[len(moments)-1] != 30 {
			t.Fatalf("30 copies flipped as %v", moments)
		}
	})
}

func TestAllocateRefusesALicenceThatIsNotValid(t *testing.T) { // P12
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		for _, v := range []uint8{status.Suspended, status.Invalid} {
			if err := w.SetForLicence(ctx, "a", v); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Allocate(ctx, "a", "1", "driving-licence", start); !errors.Is(err, status.ErrNotValid) {
				t.Fatalf("value %d: %v", v, err)
			}
		}
		if err := w.SetForLicence(ctx, "a", status.Valid); err != nil {
			t.Fatal(err)
		}
		w.allocate(t, "a", 1)
		if err := w.SetForLicence(ctx, "a", 3); err == nil {
			t.Fatal("a value that would tell why was taken")
		}
	})
}

// A credential that is being issued while its licence is revoked is either refused or revoked with the others: there is no third.
func TestARevocationNeverMissesAnIssuanceAtTheSameTime(t *testing.T) { // P12
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ctx := context.Background()
		for round := range 15 {
			licence := fmt.Sprint("r", round)
			var wg sync.WaitGroup
			refs := make([]status.Ref, 6)
			for i := range refs {
				wg.Go(func() {
					ref, err := w.Allocate(ctx, licence, fmt.Sprint(licence, i), "driving-licence", start)
					if err == nil {
						refs[i] = ref
					} else if !errors.Is(err, status.ErrNotValid) {
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				if err := w.SetForLicence(ctx, licence, status.Invalid); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			w.pass(time.Millisecond)
			if err := w.Publish(ctx); err != nil {
				t.Fatal(err)
			}
			for _, ref := range refs {
				if ref.URI == "" {
					continue
				}
				if v, _ := w.read(t, ref); v != status.Invalid {
					t.Fatalf("round %d: a credential survived the revocation", round)
				}
			}
		}
	})
}

func TestParallelAllocationsAreUniqueAndFillSeveralLists(t *testing.T) {
	each(t, func(c *status.Config) { c.Size = 64 }, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[status.Ref]bool{}
		perList := map[string]int{}
		for g := range 20 {
			wg.Go(func() {
				for i := range 10 {
					ref, err := w.Allocate(context.Background(), fmt.Sprint(g), fmt.Sprint(g, "/", i), "driving-licence", start)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[ref] || ref.Index < 0 || ref.Index >= 64 {
						t.Errorf("%v twice or out of range", ref)
					}
					seen[ref] = true
					perList[ref.URI]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 200 || len(perList) < 4 {
			t.Fatalf("%d indices in %v", len(seen), perList)
		}
	})
}

func TestIndicesAreSpreadOverTheList(t *testing.T) {
	w := newWorld(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)), nil)
	refs := w.allocate(t, "a", 64)
	upper, rising := 0, 0
	for i, r := range refs {
		if r.Index >= 1<<16 {
			upper++
		}
		if i > 0 && r.Index > refs[i-1].Index {
			rising++
		}
	}
	if upper < 12 || upper > 52 || rising < 12 || rising > 52 { // 5 standard deviations
		t.Fatalf("%d of 64 in the upper half, %d rises", upper, rising)
	}
}

func TestASlowNodeNeverPublishesAnOlderListAfterANewerOne(t *testing.T) { // Q09
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ctx := context.Background()
		ref := w.allocate(t, "a", 1)[0]
		signing, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var calls atomic.Int32
		w.hold = func() {
			if calls.Add(1) == 1 { // the first signature is the slow one
				close(signing)
				<-release
			}
		}
		go func() { done <- w.Publish(ctx) }()
		<-signing
		if err := w.SetForLicence(ctx, "a", status.Invalid); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		if err := w.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		before, _ := w.read(t, ref)
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		after, _ := w.read(t, ref)
		if before != status.Invalid || after != status.Invalid {
			t.Fatalf("before the slow node ended %d, after %d", before, after)
		}
	})
}

func TestACrashBetweenRecordAndSignatureHeals(t *testing.T) {
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ctx := context.Background()
		ref := w.allocate(t, "a", 1)[0]
		if err := w.SetForLicence(ctx, "a", status.Invalid); err != nil {
			t.Fatal(err)
		}
		s := statusstore.New(w.db)
		l, err := s.Get(ctx, ref.URI[len("https://id.example/status/"):])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Begin(ctx, l, start); err != nil { // and the node dies
			t.Fatal(err)
		}
		w.pass(4 * time.Second)
		if err := w.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		if v, _ := w.read(t, ref); v != status.Invalid {
			t.Fatalf("value %d", v)
		}
	})
}

func TestWhatIsSignedWasRecorded(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		w.allocate(t, "a", 1)
		n := -1
		w.hold = func() {
			if err := w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM status_publications`).Scan(&n); err != nil {
				t.Error(err)
			}
		}
		if err := w.Publish(context.Background()); err != nil || n != 1 {
			t.Fatalf("%d records when signing, %v", n, err)
		}
	})
}

func TestAnUnchangedListIsSignedAgainInTime(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		ref := w.allocate(t, "a", 1)[0]
		_, first := w.read(t, ref)
		w.pass(59 * time.Minute)
		if err := w.Publish(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, same := w.read(t, ref); !same.IssuedAt().Equal(first.IssuedAt()) {
			t.Fatal("signed without need")
		}
		w.pass(2 * time.Minute)
		if err := w.Publish(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, next := w.read(t, ref); !next.IssuedAt().After(first.IssuedAt()) {
			t.Fatal("not signed again")
		}
		w.pass(-2 * time.Hour) // a node whose clock is behind
		if err := w.SetForLicence(context.Background(), "a", status.Invalid); err != nil {
			t.Fatal(err)
		}
		err := w.Publish(context.Background())
		w.pass(2 * time.Hour)
		if v, last := w.read(t, ref); err != nil || v != status.Invalid || last.IssuedAt().Before(first.IssuedAt()) {
			t.Fatalf("clock behind: %d, %s, %v", v, last.IssuedAt(), err)
		}
	})
}

func TestListIsServedAsTheSpecificationSays(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		path := strings.TrimPrefix(w.allocate(t, "a", 1)[0].URI, "https://id.example")
		if ok, err := regexp.MatchString(`^/status/driving-licence-2027q1-[a-z2-9]{6}-1$`, path); err != nil || !ok {
			t.Fatal(path)
		}
		first := w.get(t, path, nil) // before any background step
		if first.code != 200 || first.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(first.header.Get("Cache-Control"), "max-age") {
			t.Fatalf("%d %v", first.code, first.header)
		}
		for name, c := range map[string]struct {
			path   string
			header http.Header
			code   int
		}{
			"same etag":        {path, http.Header{"If-None-Match": {first.header.Get("ETag")}}, 304},
			"other etag":       {path, http.Header{"If-None-Match": {`"x"`}}, 200},
			"jwt":              {path, http.Header{"Accept": {statuslist.MediaType}}, 200},
			"anything":         {path, http.Header{"Accept": {"text/html, */*;q=0.1"}}, 200},
			"cwt only":         {path, http.Header{"Accept": {"application/statuslist+cwt"}}, 200},
			"jwt refused":      {path, http.Header{"Accept": {statuslist.MediaType + ";q=0, */*"}}, 200},
			"both refused":     {path, http.Header{"Accept": {"application/*;q=0, */*"}}, 406},
			"not a time":       {path + "?time=yesterday", nil, 400},
			"two times":        {path + "?time=1&time=2", nil, 400},
			"negative time":    {path + "?time=-1", nil, 400},
			"a time to come":   {path + "?time=4000000000", nil, 404},
			"now":              {path + fmt.Sprint("?time=", start.Unix()), nil, 200},
			"of no list":       {path + fmt.Sprint("2?time=", start.Unix()), nil, 404},
			"unknown list":     {path + "2", nil, 404},
			"junk":             {"/status/%00%ff", nil, 404},
			"before the first": {path + "?time=1700000000", nil, 404},
			"aggregation":      {"/status/aggregation", nil, 200},
			"nothing accepted": {path, http.Header{"Accept": {"text/html"}}, 406},
		} {
			if got := w.get(t, c.path, c.header); got.code != c.code {
				t.Errorf("%s: %d %s", name, got.code, got.body)
			}
		}
		if a := w.get(t, "/status/aggregation", nil); !strings.Contains(a.body, `"https://id.example`+path+`"`) {
			t.Errorf("aggregation %s", a.body)
		}
	})
}

func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("copy", i)
	}
	return out
}

// A batch's indices come in the order of its copies, are all different, spread, and not an arithmetic run.
func TestABatchIsSpreadOverTheList(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		refs, err := w.AllocateBatch(context.Background(), "a", ids(64), "driving-licence", start.AddDate(0, 3, 0))
		if err != nil || len(refs) != 64 {
			t.Fatalf("%v, %v", refs, err)
		}
		steps, upper, rising := map[int64]int{}, 0, 0
		for i, r := range refs {
			if r.Index >= 1<<16 {
				upper++
			}
			if i > 0 {
				steps[r.Index-refs[i-1].Index]++
				if r.Index > refs[i-1].Index {
					rising++
				}
			}
		}
		if upper < 12 || upper > 52 || rising < 12 || rising > 52 || len(steps) < 60 { // 5 standard deviations
			t.Fatalf("%d of 64 in the upper half, %d rises, %d different steps", upper, rising, len(steps))
		}
		entries, err := statusstore.New(w.db).EntriesOf(context.Background(), "a", start)
		if err != nil || len(entries) != 64 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for _, e := range entries { // each copy got the entry that was recorded for it
			var i int
			if _, err := fmt.Sscanf(e.IssuanceID, "copy%d", &i); err != nil || refs[i].Index != e.Index || refs[i].URI != w.URI(e.ListID) {
				t.Fatalf("%v recorded, %v given", e, refs[i])
			}
		}
		for _, n := range []int{0, 1001} {
			if _, err := w.AllocateBatch(context.Background(), "a", ids(n), "driving-licence", start); err == nil {
				t.Errorf("a batch of %d", n)
			}
		}
	})
}

// Lists far smaller than a batch: it goes on in the next list, and nothing is given twice.
func TestABatchGoesOnInTheNextList(t *testing.T) {
	each(t, func(c *status.Config) { c.Size = 16 }, func(t *testing.T, w *world) {
		seen := map[status.Ref]bool{}
		for _, licence := range []string{"a", "b", "c"} {
			refs, err := w.AllocateBatch(context.Background(), licence, ids(40), "driving-licence", start)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range refs {
				if seen[r] || r.URI == "" {
					t.Fatalf("%v twice or empty", r)
				}
				seen[r] = true
			}
		}
	})
}

// A list closes near 3/4, not much earlier and not much later.
func TestAListClosesWhenThreeQuartersAreInUse(t *testing.T) {
	w := newWorld(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)), func(c *status.Config) { c.Size = 4096 })
	perList := map[string]int{}
	for i := range 80 {
		refs, err := w.AllocateBatch(context.Background(), fmt.Sprint(i), ids(100), "driving-licence", start)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range refs {
			perList[r.URI]++
		}
	}
	for uri, n := range perList {
		if last := strings.HasSuffix(uri, fmt.Sprint("-", len(perList))); !last && (n < 4096/2 || n > 4096*95/100) {
			t.Errorf("%s closed with %d of 4096", uri, n)
		}
	}
	if len(perList) < 2 || len(perList) > 4 {
		t.Errorf("8000 entries in %v", perList)
	}
}

// One URL, two forms: the Accept header chooses, a cache can tell them apart, and both say the same.
func TestBothFormsAreServedAtOneURL(t *testing.T) {
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ref := w.allocate(t, "a", 1)[0]
		if err := w.SetForLicence(context.Background(), "a", status.Suspended); err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(ref.URI, "https://id.example")
		tags := map[string]bool{}
		for accept, want := range map[string]string{
			"": "application/statuslist+jwt", "*/*": "application/statuslist+jwt", "application/statuslist+cwt": "application/statuslist+cwt",
			"application/statuslist+cwt, application/statuslist+jwt;q=0.9": "application/statuslist+cwt",
			"application/statuslist+cwt, application/statuslist+jwt":       "application/statuslist+jwt",
		} {
			for _, encoding := range []string{"", "gzip", "br, gzip;q=0.5", "gzip;q=0"} {
				got := w.get(t, path, http.Header{"Accept": {accept}, "Accept-Encoding": {encoding}})
				if vary := strings.Join(got.header.Values("Vary"), ", "); got.code != 200 || got.header.Get("Content-Type") != want || vary != "Accept, Accept-Encoding" {
					t.Fatalf("%q: %d %v", accept, got.code, got.header)
				}
				body := got.body
				if zipped := got.header.Get("Content-Encoding") == "gzip"; zipped {
					if encoding == "" || encoding == "gzip;q=0" {
						t.Fatalf("gzip for %q", encoding)
					}
					z, err := gzip.NewReader(strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(z)
					if err != nil {
						t.Fatal(err)
					}
					body = string(b)
				} else if encoding == "gzip" && want == "application/statuslist+jwt" {
					t.Fatal("a JWT shrinks, and wasn't compressed")
				}
				tags[want+got.header.Get("Content-Encoding")+got.header.Get("ETag")] = true
				if v := w.valueOf(t, want, body, ref); v != status.Suspended {
					t.Fatalf("%q says %d", accept, v)
				}
			}
		}
		if len(tags) < 3 || len(tags) > 4 { // JWT, JWT compressed, CWT, and CWT compressed where that pays
			t.Fatalf("ETags %v", tags)
		}
	})
}

// valueOf reads an entry from either form, by the keys of the test.
func (w *world) valueOf(t *testing.T, mediaType, body string, ref status.Ref) uint8 {
	t.Helper()
	parsed, err := statuslist.ParseToken(body)
	if mediaType == statuslist.TypCWT {
		parsed, err = statuslist.ParseCWT([]byte(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	token, err := parsed.Verify(ref.URI, w.key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.Status(ref.Index, time.Unix(0, w.now.Load()))
	if err != nil {
		t.Fatal(err)
	}
	return uint8(v)
}

// Each moment of the past is answered with what was published then, in force at that moment. Token Status List, section 8.4.
func TestThePastIsServedAsItWasPublished(t *testing.T) {
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ctx := context.Background()
		ref := w.allocate(t, "a", 1)[0]
		path := strings.TrimPrefix(ref.URI, "https://id.example")
		truth := map[int64]uint8{} // at each moment
		for day := range 100 {
			switch day {
			case 20:
				must(t, w.SetForLicence(ctx, "a", status.Suspended))
			case 21:
				must(t, w.SetForLicence(ctx, "a", status.Valid))
			case 70:
				must(t, w.SetForLicence(ctx, "a", status.Invalid))
			}
			must(t, w.Publish(ctx))
			truth[w.now.Load()/1e9] = map[bool]uint8{true: status.Suspended}[day == 20]
			if day >= 70 {
				truth[w.now.Load()/1e9] = status.Invalid
			}
			w.pass(24 * time.Hour)
		}
		for at, want := range truth {
			for _, form := range []string{statuslist.MediaType, statuslist.TypCWT} {
				got := w.get(t, fmt.Sprint(path, "?time=", at), http.Header{"Accept": {form}})
				if got.code != 200 || got.header.Get("Content-Type") != form {
					t.Fatalf("%d: %d %s", at, got.code, got.body)
				}
				now := w.now.Swap(at * 1e9) // the token must hold then
				v := w.valueOf(t, form, got.body, ref)
				w.now.Store(now)
				if v != want {
					t.Fatalf("%s: %d, want %d", time.Unix(at, 0).UTC(), v, want)
				}
			}
		}
		if got := w.get(t, fmt.Sprint(path, "?time=", start.Unix()-1), nil); got.code != 404 {
			t.Fatalf("before the first token: %d", got.code)
		}
		kept := 0
		must(t, w.db.QueryRow(ctx, `SELECT COUNT(*) FROM status_history`).Scan(&kept))
		if kept > 25 { // 3 changes, and one in seven days
			t.Errorf("%d tokens are kept of 100 days", kept)
		}
	})
}

func TestHistoryCanBeOff(t *testing.T) {
	each(t, func(c *status.Config) { c.History = -1 }, func(t *testing.T, w *world) {
		path := strings.TrimPrefix(w.allocate(t, "a", 1)[0].URI, "https://id.example")
		must(t, w.Publish(context.Background()))
		if got := w.get(t, fmt.Sprint(path, "?time=", start.Unix()), nil); got.code != 501 {
			t.Fatalf("off: %d", got.code)
		}
	})
}

func TestHistoryEnds(t *testing.T) {
	each(t, func(c *status.Config) { c.History = 10 * 24 * time.Hour }, func(t *testing.T, w *world) {
		ctx := context.Background()
		path := strings.TrimPrefix(w.allocate(t, "a", 1)[0].URI, "https://id.example")
		for range 7 {
			must(t, w.Publish(ctx))
			w.pass(8 * 24 * time.Hour)
			if _, err := w.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		first, later := w.get(t, fmt.Sprint(path, "?time=", start.Unix()), nil), w.get(t, fmt.Sprint(path, "?time=", start.AddDate(0, 0, 25).Unix()), nil)
		if first.code != 404 || later.code != 200 {
			t.Fatalf("long ago %d, of late %d", first.code, later.code)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server that was down for longer than a token holds has no answer for that time, instead of a token that had expired.
func TestNothingWasInForceWhileTheServerWasDown(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		path := strings.TrimPrefix(w.allocate(t, "a", 1)[0].URI, "https://id.example")
		must(t, w.Publish(ctx))
		w.pass(50 * 24 * time.Hour)
		must(t, w.Publish(ctx))
		for days, want := range map[int]int{0: 200, 34: 200, 36: 404, 50: 200} {
			if got := w.get(t, fmt.Sprint(path, "?time=", start.AddDate(0, 0, days).Unix()), nil); got.code != want {
				t.Errorf("day %d: %d, want %d", days, got.code, want)
			}
		}
	})
}

// A copy that a newer one replaced stays invalid when its licence is suspended and reinstated.
func TestARetiredCopyStaysInvalid(t *testing.T) {
	each(t, func(c *status.Config) { c.Spread = -1 }, func(t *testing.T, w *world) {
		ctx := context.Background()
		refs := w.allocate(t, "a", 2)
		must(t, w.Retire(ctx, refs[:1], time.Unix(0, w.now.Load())))
		for _, value := range []uint8{status.Valid, status.Suspended, status.Valid} {
			must(t, w.SetForLicence(ctx, "a", value))
			w.pass(time.Second)
			must(t, w.Publish(ctx))
			if retired, _ := w.read(t, refs[0]); retired != status.Invalid {
				t.Fatalf("the licence is %d, its retired copy %d", value, retired)
			}
			if other, _ := w.read(t, refs[1]); other != value {
				t.Fatalf("the licence is %d, its copy %d", value, other)
			}
		}
		for _, wrong := range []status.Ref{{URI: "https://other.example/status/x", Index: 1}, {URI: refs[0].URI, Index: 1 << 20}} {
			if err := w.Retire(ctx, []status.Ref{wrong}, start); err == nil {
				t.Errorf("%v was retired", wrong)
			}
		}
	})
}
