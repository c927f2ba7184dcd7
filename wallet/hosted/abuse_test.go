package hosted_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
)

// TestU04WhatTheDatabaseRefusesIsNobodysFault: PostgreSQL takes neither a NUL nor what is not UTF-8; each attempt has a twin that differs in that alone.
func TestU04WhatTheDatabaseRefusesIsNobodysFault(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		for _, id := range []string{"no-such-show", "\x00", "no\xffsuch", ""} {
			if a := w.post("/wallet/stop", "li", "show", id); a.status != http.StatusNotFound {
				t.Errorf("stopping %q: %d", id, a.status)
			}
		}
		copyID := ""
		if err := w.db.QueryRow(t.Context(), `SELECT id FROM wallet_copies WHERE person_id = 'li'`).Scan(&copyID); err != nil {
			t.Fatal(err)
		}
		for audience, want := range map[string]int{"https://police.test/counter": http.StatusSeeOther, "https://police.test/counter\xff": http.StatusBadRequest,
			"https://police.test/counter\x00": http.StatusBadRequest, "https://police.test/\u202eretnuoc": http.StatusBadRequest} {
			a := w.post("/wallet/licences/L.li/show", "li", "asker", "police", "audience", audience, "nonce", "0123456789abcdef", "preset", "age", "copy", copyID)
			if a.status != want {
				t.Errorf("shown to %q: %d, want %d", audience, a.status, want)
			}
		}
	})
}

// TestP12AWeakSessionShowsNothing: what takes loa3 to take isn't shown by whoever got into the same account more easily.
func TestP12AWeakSessionShowsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		copyID := ""
		if err := w.db.QueryRow(t.Context(), `SELECT id FROM wallet_copies WHERE person_id = 'li'`).Scan(&copyID); err != nil {
			t.Fatal(err)
		}
		form := url.Values{"preset": {"age"}, "copy": {copyID}, "csrf": {httpx.FormToken(formKey, "s-li")}}
		for _, acr := range []string{"loa1", "loa2", "none"} {
			if a := w.do("GET", "/wallet/licences/L.li/show", "li", nil, "X-ACR", acr); a.status < 400 || a.status >= 500 || strings.Contains(a.body, "show-confirm") {
				t.Errorf("preview at %s: %d", acr, a.status)
			}
			if a := w.do("POST", "/wallet/licences/L.li/show", "li", form, "X-ACR", acr); a.status < 400 || a.status >= 500 {
				t.Errorf("shown at %s: %d", acr, a.status)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM wallet_shows`); n != 0 {
			t.Errorf("%d showings", n)
		}
		if a := w.do("POST", "/wallet/licences/L.li/show", "li", form, "X-ACR", "loa3"); a.status != http.StatusSeeOther {
			t.Errorf("at loa3: %d", a.status)
		}
	})
}

// TestG06ARemovedCopyIsShownNoMore: its links end with it; those of a copy that was only taken anew don't.
func TestG06ARemovedCopyIsShownNoMore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take("li")
		before, _ := w.shown("li", "preset=age")
		w.take("li")
		after, _ := w.shown("li", "preset=age")
		if a := w.get("/shown/"+before, ""); a.status != http.StatusOK {
			t.Errorf("of the copy before: %d", a.status)
		}
		if a := w.post("/wallet/remove", "li", "licence", "L.li"); a.status != http.StatusSeeOther {
			t.Fatalf("removing: %d", a.status)
		}
		for _, path := range []string{"/shown/" + after, "/shown/" + after + "/file"} {
			if a := w.get(path, ""); a.status != http.StatusNotFound {
				t.Errorf("%s after removing: %d", path[:7], a.status)
			}
		}
	})
}
