package counter_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/counterstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/counter"
)

func sqlite(t *testing.T) *sqlstore.DB {
	return sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite))
}

func TestCounterJudgesWhatIsShown(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld(t, db)
		good := w.present()
		w.expect("answer to the counter's challenge", w.check(good), "valid", "ok")
		w.expect("Q01 Q12 the same answer again", w.check(good), "invalid", "challenge_used")
		w.expect("its twin, a new answer", w.check(w.present()), "valid", "ok")
		licence := w.issue(nil)
		w.expect("Q01 another audience", w.check(w.bind(licence, "https://other.example/counter", w.nonce())), "invalid", "wrong_challenge")
		w.expect("Q01 another nonce", w.check(w.bind(licence, aud, "a nonce that nobody gave")), "invalid", "wrong_challenge")
		w.expect("Q02 no proof", w.check(licence), "cannot_tell", "no_holder_proof")
		w.expect("Q02 a proof of another key", w.check(w.steal(licence, w.nonce())), "invalid", "wrong_holder_proof")
		shown := w.present()
		parts := strings.Split(shown, "~")
		w.expect("Q03 a disclosure taken away after the proof", w.check(strings.Join(append(parts[:1:1], parts[2:]...), "~")), "invalid", "wrong_holder_proof")
		w.expect("Q04 a disclosure of nobody", w.check(parts[0]+"~WyJhIiwiYiIsImMiXQ~"), "invalid", "malformed")
		w.expect("R07 junk", w.check("junk"), "invalid", "malformed")
		expired := w.issue(func(c map[string]any) { c["exp"] = w.time().Add(-time.Minute).Unix() })
		w.expect("an expired copy", w.check(w.bind(expired, aud, w.nonce())), "invalid", "expired")
		w.expect("by a file", w.post(counter.Path+"/check", nil, map[string][]byte{"file": []byte(w.present() + "\n")}), "valid", "ok")
	})
}

// An mdoc answers the page's challenge, pasted or as a file in CBOR.
func TestCounterTakesMdocs(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld(t, db)
		issued := w.Mdoc(w.time(), nil)
		check := func(nonce string, shown []byte, asFile bool) page {
			if asFile {
				return w.post(counter.Path+"/check", map[string]string{"nonce": nonce}, map[string][]byte{"file": shown})
			}
			return w.post(counter.Path+"/check", map[string]string{"nonce": nonce, "input": base64.RawURLEncoding.EncodeToString(shown)}, nil)
		}
		nonce := w.nonce()
		shown := w.ShowMdoc(issued, aud, nonce)
		p := check(nonce, shown, false)
		w.expect("answer to the page's challenge", p, "valid", "ok")
		if !strings.Contains(p.body, "LI") || !strings.Contains(p.body, "机动车驾驶证") {
			t.Error("what was shown isn't on the page")
		}
		w.expect("Q12 the same answer again", check(nonce, shown, false), "invalid", "challenge_used")
		nonce = w.nonce()
		shown = w.ShowMdoc(issued, aud, nonce)
		w.expect("as a file", check(nonce, shown, true), "valid", "ok")
		w.expect("Q12 the same answer in the other form", check(nonce, shown, false), "invalid", "challenge_used")
		nonce = w.nonce()
		w.shown["a-link-of-the-hosted-wallet"] = string(w.ShowMdoc(issued, aud, nonce))
		w.expect("by a link", w.post(counter.Path+"/check", map[string]string{"nonce": nonce, "input": w.origin + "/shown/a-link-of-the-hosted-wallet"}, nil), "valid", "ok")
		nonce = w.nonce()
		w.expect("Q16 another page's challenge", check(w.nonce(), w.ShowMdoc(issued, aud, nonce), false), "invalid", "wrong_challenge")
		w.expect("Q16 another audience", check(nonce, w.ShowMdoc(issued, "https://other.example", nonce), false), "invalid", "wrong_challenge")
		w.expect("Q16 a nonce that nobody gave", check("n-1", w.ShowMdoc(issued, aud, "n-1"), false), "invalid", "wrong_challenge")
		w.expect("no proof", check(nonce, issued, true), "cannot_tell", "no_holder_proof")
		w.expect("Q16 changed", check(nonce, bytes.Replace(w.ShowMdoc(issued, aud, nonce), []byte("LI"), []byte("LU"), 1), true), "invalid", "malformed")
		w.expect("its twin", check(nonce, w.ShowMdoc(issued, aud, nonce), true), "valid", "ok")
	})
}

// TestStolenNonceIsNotUsedUp: somebody who reads the code over a shoulder can't end the challenge of the one who stands there.
func TestStolenNonceIsNotUsedUp(t *testing.T) {
	w := newWorld(t, sqlite(t))
	nonce := w.nonce()
	licence := w.issue(nil)
	w.expect("a thief's", w.check(w.steal(licence, nonce)), "invalid", "wrong_holder_proof")
	w.expect("the holder's", w.check(w.bind(licence, aud, nonce)), "valid", "ok")
}

func TestNonceIsOursAndFresh(t *testing.T) {
	w := newWorld(t, sqlite(t))
	begin, licence := w.time(), w.issue(nil)
	for _, x := range []struct {
		after   time.Duration
		verdict string
		reason  string
	}{{14 * time.Minute, "valid", "ok"}, {16 * time.Minute, "invalid", "wrong_challenge"}} {
		w.set(begin)
		nonce := w.nonce()
		w.set(begin.Add(x.after))
		w.expect(x.after.String(), w.check(w.bind(licence, aud, nonce)), x.verdict, x.reason)
	}
	nonce := w.nonce()
	bent := nonce[:len(nonce)-1] + map[bool]string{true: "B", false: "A"}[nonce[len(nonce)-1] == 'A']
	w.expect("a bent one", w.check(w.bind(licence, aud, bent)), "invalid", "wrong_challenge")
}

// TestShownForAPurpose: unasked, for ten minutes, once at this counter.
func TestShownForAPurpose(t *testing.T) {
	w := newWorld(t, sqlite(t))
	licence := w.issue(nil)
	unasked := w.bind(licence, w.origin+"/purposes/driving-check", "holder-made-128-bits")
	p := w.check(unasked)
	w.expect("a purpose of this counter", p, "valid", "ok")
	if !strings.Contains(p.body, "驾驶检查") {
		t.Error("the purpose isn't shown")
	}
	w.expect("Q12 again", w.check(unasked), "invalid", "challenge_used")
	w.expect("fields of the holder's choice", w.check(w.bind(licence, w.origin+"/purposes/chosen", "n2")), "valid", "ok")
	w.expect("Q01 another purpose", w.check(w.bind(licence, w.origin+"/purposes/hotel", "n3")), "invalid", "wrong_challenge")
	old := w.bind(licence, w.origin+"/purposes/driving-check", "n4")
	w.set(w.time().Add(11 * time.Minute))
	w.expect("after eleven minutes", w.check(old), "invalid", "holder_proof_not_from_now")
}

// TestQ12TwentyAtOnce: of twenty checks of one answer one is valid, on both engines and from two nodes.
func TestQ12TwentyAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld(t, db)
		answer := w.present()
		other := &world{t: t, db: db, now: w.now, World: w.World, national: w.national, origin: w.origin, dir: w.dir}
		other.open()
		var wg sync.WaitGroup
		got := make([]page, 20)
		for i := range got {
			wg.Add(1)
			go func() {
				defer wg.Done()
				got[i] = []*world{w, other}[i%2].check(answer)
			}()
		}
		wg.Wait()
		count := map[string]int{}
		for _, p := range got {
			count[p.verdict()]++
		}
		if count["valid"] != 1 || count["invalid"] != 19 {
			t.Errorf("verdicts: %v", count)
		}
		checks, err := counterstore.New(db).List(context.Background(), counter.Filter{Limit: 100})
		if err != nil || len(checks) != 20 {
			t.Errorf("%d records (%v)", len(checks), err)
		}
		events := 0
		_, unchained, err := sqlstore.AuditChain{DB: db}.Unchained(context.Background(), 100)
		must(t, err)
		for _, ev := range unchained {
			if ev.Kind == audit.Kind("counter.checked") {
				events++
			}
		}
		if events != 20 {
			t.Errorf("%d audit events", events)
		}
	})
}

// TestE01OnlyShownLinksAreOpened: whatever else looks like an address is refused without a request.
func TestE01OnlyShownLinksAreOpened(t *testing.T) {
	w := newWorld(t, sqlite(t))
	id := "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	w.shown[id] = w.bind(w.issue(nil), w.origin+"/purposes/chosen", "n")
	w.called = nil
	for _, bad := range []string{"http://169.254.169.254/latest/meta-data", "http://127.0.0.1:22/", "https://evil.example/shown/" + id, w.origin + "/shown/" + id + "/../../bundle.zip",
		w.origin + "/shown/" + id + "?x=1", w.origin + "/shown/", w.origin + "/shown/short", w.origin + ".evil.example/shown/" + id, w.origin + "@evil.example/shown/" + id,
		strings.ToUpper(w.origin) + "/shown/" + id, w.origin + "/bundle.zip", "file:///etc/passwd", "www.evil.example", w.national.URL + "/shown/" + id, w.origin + "/shown/" + id + "\nhttp://x"} {
		p := w.check(bad)
		if p.code != http.StatusBadRequest || p.verdict() != "" || !strings.Contains(p.body, "counter-problem") {
			t.Errorf("%s: %d %q", bad, p.code, p.verdict())
		}
	}
	if len(w.called) != 0 {
		t.Errorf("somebody was asked: %v", w.called)
	}
	w.expect("the twin", w.check(w.origin+"/shown/"+id+"\n"), "valid", "ok")
	if fmt.Sprint(w.called) != "[/shown/"+id+"]" {
		t.Errorf("asked: %v", w.called)
	}
	w.expect("a link that is over", w.check(w.origin+"/shown/BBBBBBBBBBBBBBBBBBBBBBBB"), "cannot_tell", "link_gone")
}

// TestNationalServerDown: pasted text is judged as ever, a link can't be opened and the page says what else works.
func TestNationalServerDown(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.setDown(true)
	if err := w.counter.Refresh(context.Background()); err == nil {
		t.Error("a bundle from nowhere")
	}
	w.expect("pasted", w.check(w.present()), "valid", "ok")
	p := w.check(w.origin + "/shown/AAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	w.expect("a link", p, "cannot_tell", "link_unreachable")
	if !strings.Contains(p.body, "粘贴到这里") || !strings.Contains(p.body, "不要当作无效处理") {
		t.Error("the clerk is left alone")
	}
	if !strings.Contains(w.get(counter.Path+"/bundle").body, "没有成功") {
		t.Error("the bundle page doesn't say that the last fetch failed")
	}
	w.open() // a restart without a network
	w.expect("after a restart", w.check(w.present()), "valid", "ok")
}

func TestJunkAndOversizeNeverGive5xx(t *testing.T) {
	w := newWorld(t, sqlite(t))
	for _, input := range []string{"", " ", "~", "~~~~", "a.b.c~", "\x00\xff", strings.Repeat("~", 20_000), strings.Repeat("A", 900_000), "{}", `<script>alert(1)</script>`, "eyJhbGciOiJub25lIn0.e30.~"} {
		if p := w.check(input); p.code >= 500 {
			t.Errorf("%.20q: %d", input, p.code)
		}
		if p := w.post(counter.Path+"/check", nil, map[string][]byte{"file": []byte(input)}); p.code >= 500 {
			t.Errorf("%.20q as a file: %d", input, p.code)
		}
	}
	if p := w.check(strings.Repeat("A", 2<<20)); p.code != http.StatusRequestEntityTooLarge {
		t.Errorf("two megabytes: %d", p.code)
	}
	if p := w.post(counter.Path+"/check", map[string]string{"input": "a"}, map[string][]byte{"file": []byte("b")}); p.code != http.StatusBadRequest {
		t.Errorf("a text and a file: %d", p.code)
	}
	for _, path := range []string{"/receipts/", "/receipts/V-0000-0000", "/receipts/..%2f", "/history?day=x&verdict=y", "/history?day=9999-12-31", "/history.csv?day=-1", "/nothing", "/check", "/assets/x"} {
		if p := w.get(counter.Path + path); p.code >= 500 {
			t.Errorf("%s: %d", path, p.code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, counter.Path+"/check", strings.NewReader("--x\r\nbroken"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("Origin", base)
	if p := w.do(r); p.code >= 500 || p.code < 400 {
		t.Errorf("a broken multipart body: %d", p.code)
	}
}

// TestG01FormsOfOtherSites: a foreign page can't have this counter check or import.
func TestG01FormsOfOtherSites(t *testing.T) {
	w := newWorld(t, sqlite(t))
	for _, path := range []string{"/check", "/bundle/refresh", "/bundle/import", "/receipts/V-0000-0000/person"} {
		for origin, want := range map[string]bool{base: true, "https://evil.example": false, "null": false, "": false, "http://dept.example": false} {
			r := httptest.NewRequest(http.MethodPost, counter.Path+path, strings.NewReader("input=junk"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			if p := w.do(r); (p.code != http.StatusForbidden) != want {
				t.Errorf("%s from %q: %d", path, origin, p.code)
			}
		}
	}
}

// TestX01Headers: the same on every page; the camera is for the asking page alone.
func TestX01Headers(t *testing.T) {
	w := newWorld(t, sqlite(t))
	for path, camera := range map[string]string{"": "camera=(self)", "/history": "camera=()", "/bundle": "camera=()", "/nothing": "camera=()"} {
		h := w.get(counter.Path + path).head
		for name, want := range map[string]string{"Content-Security-Policy": "script-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cache-Control": "no-store", "Permissions-Policy": camera, "Strict-Transport-Security": "max-age", "X-Frame-Options": "DENY"} {
			if got := h.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestQ10HostileText: what the issuer, let alone a forger, writes is text; what nobody vouches for isn't shown at all.
func TestQ10HostileText(t *testing.T) {
	w := newWorld(t, sqlite(t))
	evil := `"><script>alert(1)</script><b data-verdict="valid">` + "\u202e"
	p := w.check(w.bind(w.issue(func(c map[string]any) { c["name"] = evil }), aud, w.nonce()))
	w.expect("markup in a name", p, "valid", "ok")
	if strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "\u202e") || strings.Count(p.body, `data-verdict="`) != 1 {
		t.Error("markup became part of the page")
	}
	if !strings.Contains(p.body, "&lt;script&gt;") {
		t.Error("the text isn't shown as text")
	}
	forged := w.check(w.bind(w.issue(func(c map[string]any) { c["vct"], c["name"] = evil, "张三" }), aud, w.nonce()))
	if forged.verdict() == "valid" || strings.Contains(forged.body, "<script>alert") {
		t.Errorf("a type of nobody: %s", forged.verdict())
	}
	rec, err := counterstore.New(w.db).Get(context.Background(), forged.receipt())
	if err != nil || rec.VCT != "" {
		t.Errorf("text of a forger was kept: %q (%v)", rec.VCT, err)
	}
}

func TestRevokedLicence(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.In.StatusLists[trusttest.List] = w.StatusList(w.now, statuslist.Entry{Index: trusttest.Index, Value: statuslist.Invalid})
	w.zip = w.Publish(w.now)
	must(t, w.counter.Refresh(context.Background()))
	p := w.check(w.present())
	w.expect("revoked", p, "invalid", "revoked")
	if strings.Contains(p.body, "李秀英") {
		t.Error("the page shows claims of a licence that is not in force")
	}
}

func TestHistoryReceiptsAndThePerson(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld(t, db)
		valid, junk := w.check(w.present()), w.check("junk")
		for _, body := range []string{w.get(counter.Path + "/history").body, w.get(counter.Path + "/history.csv").body} {
			if !strings.Contains(body, valid.receipt()) || !strings.Contains(body, junk.receipt()) || strings.Contains(body, "李秀英") {
				t.Error("history")
			}
		}
		if body := w.get(counter.Path + "/history?verdict=valid").body; !strings.Contains(body, valid.receipt()) || strings.Contains(body, junk.receipt()) {
			t.Error("filter by verdict")
		}
		if body := w.get(counter.Path + "/history?day=2001-01-01").body; strings.Contains(body, valid.receipt()) {
			t.Error("filter by day")
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.get(counter.Path+"/history.csv").body, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 3 || len(rows[1]) != len(rows[0]) {
			t.Errorf("csv: %v %v", rows, err)
		}
		receipt := w.get(counter.Path + "/receipts/" + valid.receipt())
		if receipt.code != 200 || receipt.verdict() != "valid" || strings.Contains(receipt.body, "李秀英") || !strings.Contains(receipt.body, "沙箱窗口") {
			t.Errorf("receipt: %d", receipt.code)
		}
		for _, x := range []struct{ said, want string }{{"maybe", ""}, {"other", "other"}, {"same", "other"}} {
			_ = w.post(counter.Path+"/receipts/"+valid.receipt()+"/person", map[string]string{"person": x.said}, nil)
			rec, err := counterstore.New(db).Get(context.Background(), valid.receipt())
			if err != nil || rec.Person != x.want {
				t.Errorf("after %s: %q (%v)", x.said, rec.Person, err)
			}
		}
	})
}
