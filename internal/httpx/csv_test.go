package httpx_test

import (
	"net/http/httptest"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
)

// TestCSVRunsNothing: a name that begins as a formula stays a name.
func TestCSVRunsNothing(t *testing.T) {
	w := httptest.NewRecorder()
	out := httpx.NewCSV(w, "x.csv")
	out.Row("=HYPERLINK(\"http://evil.example\")", "+1", "-1", "@x", "\tx", "李秀英", "a=b", "")
	out.Flush()
	if got, want := w.Body.String(), "\ufeff"+`"'=HYPERLINK(""http://evil.example"")",'+1,'-1,'@x,'`+"\tx,李秀英,a=b,\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if ct := w.Header().Get("Content-Type"); ct != "text/csv; charset=utf-8" {
		t.Error(ct)
	}
}
