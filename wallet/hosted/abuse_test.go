package hosted_test

import (
	"net/http"
	"testing"
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
