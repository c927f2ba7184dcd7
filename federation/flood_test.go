package federation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// U06: hanging up is no way around the event.
func TestU06RefusedAnswerLeavesAnEventAlsoWhenTheBrowserHangsUp(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		const refused = `SELECT count(*) FROM audit_events WHERE kind = 'federation.answer_refused'`
		b := newBrowser(t)
		callback, err := url.Parse(h.toCallback(b, "440000", "li-xiuying"))
		if err != nil {
			t.Fatal(err)
		}
		q := callback.Query()
		q.Set("code", "junk")
		callback.RawQuery = q.Encode()
		before := h.count(refused)
		ctx, hangUp := context.WithCancel(t.Context())
		req := httptest.NewRequest(http.MethodGet, callback.String(), nil).WithContext(ctx)
		for _, c := range b.http.Jar.Cookies(callback) {
			req.AddCookie(c)
		}
		hangUp()
		h.handler.ServeHTTP(httptest.NewRecorder(), req)
		if n := h.count(refused); n != before+1 {
			t.Errorf("%d events, want 1", n-before)
		}
	})
}
