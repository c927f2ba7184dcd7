package hosted_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/hosted"
)

func each(t *testing.T, run func(t *testing.T, w *world)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, newWorld(t, db)) })
}

func TestTakingAgainReplacesAndDestroysTheOldKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		if n := w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state = 'ready'`); n != 1 {
			t.Fatalf("%d copies", n)
		}
		w.take("li")
		w.take("wang")
		if n := w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state = 'ready'`); n != 2 {
			t.Errorf("%d current copies of two people", n)
		}
		if len(w.gone) != 1 || w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state = 'gone' AND sealed = ''`) != 1 {
			t.Errorf("the old copy is not gone: %v", w.gone)
		}
		if a := w.post("/wallet/remove", "li", "licence", "L.li"); a.status != http.StatusSeeOther || len(w.gone) != 2 {
			t.Errorf("removing: %d, %d keys destroyed", a.status, len(w.gone))
		}
		if a := w.get("/wallet/licences/L.li/show", "li"); strings.Contains(a.body, "show-confirm") {
			t.Error("a removed copy can be shown")
		}
		if a := w.get("/wallet/licences/L.wang/show", "wang"); !strings.Contains(a.body, "show-confirm") {
			t.Error("the copy of another went too")
		}
	})
}

func TestTakenAtOnceOneCopyIsCurrent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 3 {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if a := w.post("/wallet/take", "li", "licence", "L.li"); a.status != http.StatusSeeOther {
						t.Errorf("%d %s", a.status, a.body)
					}
				})
			}
			all.Wait()
			if n := w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state = 'ready'`); n != 1 {
				t.Fatalf("%d current copies", n)
			}
		}
		if err := w.wallet.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state <> 'gone'`); n != 1 || len(w.gone) != 8 {
			t.Errorf("%d copies left, %d keys destroyed of 9", n, len(w.gone))
		}
		// The quota: ten in an hour, and again after it.
		if a := w.post("/wallet/take", "li", "licence", "L.li"); a.status != http.StatusSeeOther {
			t.Errorf("the tenth: %d", a.status)
		}
		if a := w.post("/wallet/take", "li", "licence", "L.li"); a.status != http.StatusTooManyRequests {
			t.Errorf("the eleventh: %d", a.status)
		}
		w.later(time.Hour + time.Second)
		w.take("li")
	})
}

func TestAFailedTakeLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		for err, want := range map[error]int{hosted.ErrNotInForce: 409, hosted.ErrLevelTooLow: 403, hosted.ErrNotFound: 404, errors.New("10.0.0.1"): 500} {
			w.set(func() { w.issueErr = err })
			if a := w.post("/wallet/take", "li", "licence", "L.li"); a.status != want || strings.Contains(a.body, "10.0.0.1") {
				t.Errorf("%v: %d", err, a.status)
			}
		}
		w.set(func() { w.issueErr = nil })
		if n := w.count(`SELECT COUNT(*) FROM wallet_copies WHERE state = 'making'`); n != 0 || len(w.gone) != 4 {
			t.Errorf("%d half copies, %d keys destroyed", n, len(w.gone))
		}
		w.shown("li", "") // the copy from before is still good
	})
}

func TestAHalfCopyIsSwept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.db.Exec(t.Context(), `INSERT INTO wallet_copies VALUES ('half', 'li', 'L.li', 'driving-licence', 'making', '', 0, $1, 0)`,
			sqlstore.Micros(w.clock())); err != nil {
			t.Fatal(err)
		}
		w.later(9 * time.Minute)
		_ = w.wallet.Sweep(t.Context())
		if w.gone["half"] {
			t.Error("swept while it may still be finished")
		}
		w.later(2 * time.Minute)
		if err := w.wallet.Sweep(t.Context()); err != nil || !w.gone["half"] {
			t.Errorf("not swept: %v", err)
		}
	})
}

// Q01, Q02, Q03: exactly what was chosen is shown, to whom and for what was said, by the copy's own key.
func TestQ03WhatIsShownIsWhatWasChosen(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		const ask = "&asker=police&audience=https%3A%2F%2Fpolice.test%2Fcounter&nonce=0123456789abcdef"
		for _, c := range []struct {
			query, audience, nonce string
			name, birth            bool
		}{
			{"", origin + "/purposes/driving-check", "", true, false},
			{"preset=age", origin + "/purposes/age", "", false, true},
			{"preset=chosen", origin + "/purposes/chosen", "", false, false},
			{"preset=chosen&c.name=1&c.birth_date=1", origin + "/purposes/chosen", "", true, true},
			{"preset=age" + ask, "https://police.test/counter", "0123456789abcdef", false, true},
		} {
			_, text := w.shown("li", c.query)
			claims, err := w.said(text, c.audience, c.nonce)
			if err != nil {
				t.Errorf("%q: %v", c.query, err)
			}
			_, name := claims["name"]
			_, birth := claims["birth_date"]
			if name != c.name || birth != c.birth || claims["classes"] == nil {
				t.Errorf("Q03 %q shows %v", c.query, claims)
			}
			if _, err := w.said(text, origin+"/purposes/full", c.nonce); err == nil {
				t.Errorf("Q01 %q: the proof holds for another purpose", c.query)
			}
			if _, err := w.said(text, c.audience, "another-nonce-0123"); err == nil {
				t.Errorf("Q02 %q: the proof holds for another nonce", c.query)
			}
		}
		_, one := w.shown("li", "")
		if _, two := w.shown("li", ""); one == two {
			t.Error("two showings are the same text")
		}
	})
}

func TestTheLinkEndsByTimeAndByStopping(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		first, text := w.shown("li", "")
		second, _ := w.shown("li", "")
		open := func(secret string) answer {
			return w.do("GET", "/shown/"+secret, "", nil, "Accept", "application/dc+sd-jwt")
		}
		if a := open(first); a.status != 200 || a.body != text || a.header.Get("Content-Type") != "application/dc+sd-jwt" || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %q", a.status, a.body)
		}
		if a := w.get("/shown/"+first+"/file", ""); a.body != text || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("as a file: %d", a.status)
		}
		if n := w.count(`SELECT COUNT(*) FROM wallet_shows WHERE opened = 2`); n != 1 {
			t.Error("openings are not counted")
		}
		id := regexp.MustCompile(`name="show" value="([^"]+)"`).FindStringSubmatch(w.get("/wallet/shown/"+first, "li").body)[1]
		if a := w.post("/wallet/stop", "wang", "show", id); a.status != 404 || open(first).status != 200 {
			t.Errorf("S03 stopped by another: %d", a.status)
		}
		if a := w.post("/wallet/stop", "li", "show", id); a.status != http.StatusSeeOther {
			t.Fatalf("stopping: %d", a.status)
		}
		unknown := strings.Repeat("A", 26)
		same := func(what, secret string) {
			t.Helper()
			for _, path := range []string{"/shown/" + secret, "/shown/" + secret + "/file"} {
				a, b := w.get(path, ""), w.get("/shown/"+unknown, "")
				if a.status != 404 || timeless(a.body) != timeless(b.body) {
					t.Errorf("S03 %s: %d, or told apart from an unknown one", what, a.status)
				}
			}
		}
		same("stopped", first)
		if open(second).status != 200 {
			t.Error("stopping one stopped another")
		}
		w.later(10*time.Minute - time.Second)
		if open(second).status != 200 {
			t.Error("a second before its end")
		}
		w.later(time.Second)
		same("expired", second)
		if err := w.wallet.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.later(time.Second)
		_ = w.wallet.Sweep(t.Context())
		if n := w.count(`SELECT COUNT(*) FROM wallet_shows WHERE sealed <> ''`); n != 0 {
			t.Error("a presentation is kept after its link ended")
		}
		if a := w.get("/wallet/history", "li"); strings.Count(a.body, `class="seen"`) != 2 {
			t.Error("the history forgot")
		}
	})
}

// timeless leaves out the number of a problem page.
func timeless(page string) string {
	return regexp.MustCompile(`(?s)<p class="num".*?</dl>|[A-Za-z]*lang=[^"&]*|href="[^"]*"`).ReplaceAllString(page, "")
}

func TestV02AnothersThingsAreUnknown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		w.take("wang")
		secret, _ := w.shown("li", "")
		for _, path := range []string{"/wallet/licences/L.li", "/wallet/licences/L.li/show", "/wallet/shown/" + secret} {
			if a := w.get(path, "li"); a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("own %s: %d %q", path, a.status, a.header.Get("Cache-Control"))
			}
			unknown := w.get(strings.NewReplacer("L.li", "L.nobody", secret, strings.Repeat("B", 26)).Replace(path), "wang")
			if a := w.get(path, "wang"); a.status != 404 || timeless(a.body) != timeless(unknown.body) {
				t.Errorf("V02 %s of another: %d", path, a.status)
			}
			if a := w.get(path, ""); a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/login") || strings.Contains(a.header.Get("Location"), secret) {
				t.Errorf("logged out %s: %d %s", path, a.status, a.header.Get("Location"))
			}
		}
		for path, values := range map[string][]string{"/wallet/take": {"licence", "L.li"}, "/wallet/remove": {"licence", "L.li"}, "/wallet/licences/L.li/show": {"preset", "age"}} {
			if a := w.post(path, "wang", values...); a.status != 404 {
				t.Errorf("V02 POST %s: %d", path, a.status)
			}
		}
		if a := w.get("/wallet/history", "wang"); strings.Contains(a.body, `class="seen"`) {
			t.Error("V02: another's history")
		}
		if a := w.get("/wallet/history.csv", "li"); strings.Count(a.body, "\n") != 2 || !strings.Contains(a.body, "驾驶检查") {
			t.Errorf("her own as a file: %q", a.body)
		}
		w.shown("wang", "")
		for licence, want := range map[string]int{"L.li": 1, "L.wang": 0, "L.nobody": 0, "%27": 0, "%00": 0, "%ff": 0} {
			if a := w.get("/wallet/history?licence="+licence, "li"); a.status != 200 || strings.Count(a.body, `class="seen"`) != want {
				t.Errorf("V02 history of %s: %d, %d rows", licence, a.status, strings.Count(a.body, `class="seen"`))
			}
			if a := w.get("/wallet/history.csv?licence="+licence, "li"); a.status != 200 || strings.Count(a.body, "\n") != 1+want {
				t.Errorf("V02 table of %s: %d %q", licence, a.status, a.body)
			}
		}
	})
}

func TestG01FormsOfOthersAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		good := httpx.FormToken(formKey, "s-li")
		for _, c := range []struct {
			name, token string
			header      []string
			want        int
		}{
			{"own", good, nil, 303}, {"without token", "", nil, 403}, {"another session's", httpx.FormToken(formKey, "s-wang"), nil, 403},
			{"own origin", "", []string{"Origin", origin}, 303}, {"other origin", good, []string{"Origin", "https://evil.test"}, 403},
			{"cross-site", good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		} {
			if a := w.do("POST", "/wallet/take", "li", url.Values{"licence": {"L.li"}, "csrf": {c.token}}, c.header...); a.status != c.want {
				t.Errorf("G01 %s: %d", c.name, a.status)
			}
		}
		if a := w.do("POST", "/wallet/take", "li", url.Values{"licence": {"L.li", "L.li"}, "csrf": {good}}); a.status != 403 {
			t.Errorf("a field twice: %d", a.status)
		}
	})
}

func TestNotInForceIsNotShown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		page := w.get("/wallet/licences/L.li/show", "li")
		form := url.Values{"csrf": {httpx.FormToken(formKey, "s-li")}}
		for _, m := range fieldForm.FindAllStringSubmatch(page.body, -1) {
			form.Set(m[1], m[2])
		}
		w.set(func() { w.inForce = false })
		if a := w.do("POST", "/wallet/licences/L.li/show", "li", form); a.status != 409 {
			t.Errorf("shown after it was revoked: %d", a.status)
		}
		if a := w.get("/wallet/licences/L.li/show", "li"); strings.Contains(a.body, "show-confirm") || !strings.Contains(a.body, "吊销") {
			t.Error("the page does not say why")
		}
		if a := w.post("/wallet/take", "li", "licence", "L.li"); a.status != 409 {
			t.Errorf("taken after it was revoked: %d", a.status)
		}
		if n := w.count(`SELECT COUNT(*) FROM wallet_shows`); n != 0 {
			t.Error("a showing was recorded")
		}
		w.set(func() { w.inForce = true })
		// A removal on another node destroys the key between the page's reading and the signature: nothing is shown, and nothing says so.
		id := form.Get("copy")
		w.set(func() { w.gone[id] = true })
		if a := w.do("POST", "/wallet/licences/L.li/show", "li", form); a.status != 404 || w.count(`SELECT COUNT(*) FROM wallet_shows`) != 0 {
			t.Errorf("the key was destroyed a moment ago: %d", a.status)
		}
		w.set(func() { delete(w.gone, id) })
		if a := w.do("POST", "/wallet/licences/L.li/show", "li", form); a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/wallet/shown/") {
			t.Errorf("the twin, in force: %d", a.status)
		}
		w.take("li")
		if a := w.do("POST", "/wallet/licences/L.li/show", "li", form); a.status != 303 || strings.HasPrefix(a.header.Get("Location"), "/wallet/shown/") {
			t.Errorf("confirmed for a copy that was replaced: %d %s", a.status, a.header.Get("Location"))
		}
		w.later(25 * time.Hour)
		if a := w.get("/wallet/licences/L.li/show", "li"); strings.Contains(a.body, "show-confirm") || !strings.Contains(a.body, "take-driving-licence") {
			t.Error("a copy that ran out can be shown")
		}
	})
}

func TestA05WhoAsksIsRegisteredAndAsksForHimself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		q := func(name, value string) string {
			v := url.Values{"asker": {"police"}, "audience": {"https://police.test/counter"}, "nonce": {"0123456789abcdef"}, "type": {"driving-licence"}, "purpose": {"age"}}
			v.Set(name, value)
			return v.Encode()
		}
		good := q("type", "driving-licence")
		if a := w.get("/wallet/ask?"+good, ""); a.header.Get("Location") != "/login?to="+url.QueryEscape("/wallet/ask?"+good) {
			t.Errorf("the request does not survive the login: %s", a.header.Get("Location"))
		}
		if a := w.get("/wallet/ask?"+good, "li"); a.status != 200 || !strings.Contains(a.body, "take-driving-licence") || !strings.Contains(a.body, "交管局") {
			t.Errorf("not taken: %d", a.status)
		}
		a := w.post("/wallet/take", "li", "licence", "L.li", "asker", "police", "audience", "https://police.test/counter", "nonce", "0123456789abcdef", "purpose", "age")
		if back := a.header.Get("Location"); !strings.HasPrefix(back, "/wallet/ask?") || w.get(back, "li").status != 303 {
			t.Errorf("taking leads to %s", back)
		}
		for _, c := range [][2]string{{"asker", "nobody"}, {"asker", ""}, {"audience", "https://evil.test/counter"}, {"audience", "https://police.test.evil.test/"},
			{"audience", "https://police.test@evil.test/"}, {"audience", `https://police.test\@evil.test/`}, {"audience", "https://police.test:8443/"},
			{"audience", "//police.test/"}, {"audience", "https://police.test/#x"}, {"audience", "http://police.test/counter"}, {"audience", ""}, {"audience", "javascript:alert(1)"},
			{"nonce", "short"}, {"nonce", strings.Repeat("n", 129)}, {"nonce", "0123456789abcde<"}, {"purpose", "spying"}} {
			a := w.get("/wallet/ask?"+q(c[0], c[1]), "li")
			if a.status != 400 || strings.Contains(timeless(a.body), "evil") || strings.Contains(a.body, "show-confirm") {
				t.Errorf("A05 %s=%s: %d", c[0], c[1], a.status)
			}
			if c[0] == "purpose" {
				continue
			}
			if a := w.get("/wallet/licences/L.li/show?"+q(c[0], c[1]), "li"); a.status != 400 {
				t.Errorf("A05 preview %s=%s: %d", c[0], c[1], a.status)
			}
			form := url.Values{"asker": {"police"}, "audience": {"https://police.test/counter"}, "nonce": {"0123456789abcdef"}, "preset": {"age"}}
			form.Set(c[0], c[1])
			form.Set("csrf", httpx.FormToken(formKey, "s-li"))
			if a := w.do("POST", "/wallet/licences/L.li/show", "li", form); a.status != 400 {
				t.Errorf("A05 confirm %s=%s: %d", c[0], c[1], a.status)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM wallet_shows`); n != 0 {
			t.Error("something was shown")
		}
		if a := w.get("/wallet/ask?"+q("type", "fishing-licence"), "li"); a.status != 200 || strings.Contains(a.body, "show-confirm") {
			t.Errorf("a type that she doesn't have: %d", a.status)
		}
		secret, _ := w.shown("li", good)
		if a := w.get("/shown/"+secret, ""); a.status != 200 || strings.Contains(a.body, "1958") || !strings.Contains(a.body, "https://police.test/counter") {
			t.Errorf("a stranger at an asked showing: %d %s", a.status, a.body)
		}
	})
}

func TestBadInputIsNobodysFault(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		for _, path := range []string{"/wallet/licences/%2e%2e", "/wallet/licences/%00/show", "/wallet/licences/L.li/show?preset=x", "/wallet/licences/L.li/show?a=1&a=2",
			"/wallet/ask?x=%zz", "/wallet/shown/%ff", "/shown/x", "/shown/" + strings.Repeat("x", 9000), "/wallet/licences/L.li/show?preset=chosen&c.nonsense=1"} {
			if a := w.get(path, "li"); a.status >= 500 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
	})
}
