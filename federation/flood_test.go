package federation_test

import (
	"net/http"
	"testing"

	"github.com/hufu-id/hufu/internal/sample"
)

// I04: an answer that this browser never asked for writes nothing, not even an event, or anybody could fill the audit table with a loop.
// The twin, a wrong answer to an attempt of this browser, leaves one event.
func TestI04UnaskedAnswersWriteNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		const all = `SELECT count(*) FROM audit_events`
		before := h.count(all)
		for _, path := range []string{"?code=c&state=s", "?state=a&state=b", "?%zz", ""} {
			if p := newBrowser(t).get(h.url + "/callback/440000" + path); p.status != http.StatusForbidden && p.status != http.StatusBadRequest {
				t.Errorf("%s: %d", path, p.status)
			}
		}
		if n := h.count(all); n != before {
			t.Errorf("%d events", n-before)
		}
		h.provinces["440000"].SetFault(sample.WrongNonce)
		defer h.provinces["440000"].SetFault(sample.NoFault)
		h.login(newBrowser(t), "440000", "li-xiuying")
		if n := h.count(all); n != before+1 {
			t.Errorf("twin: %d events, want 1", n-before)
		}
	})
}
