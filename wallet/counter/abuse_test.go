package counter_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/wallet/counter"
)

// unread is a body that tells whether anybody read it.
type unread struct {
	*strings.Reader
	read bool
}

func (u *unread) Read(b []byte) (int, error) {
	u.read = true
	return u.Reader.Read(b)
}

// TestW02ForeignUploadsAreNotRead: 256 MiB are a bundle's due, not any web page's.
func TestW02ForeignUploadsAreNotRead(t *testing.T) {
	w := newWorld(t, sqlite(t))
	for origin, want := range map[string]bool{base: true, "https://evil.example": false, "null": false} {
		body := &unread{Reader: strings.NewReader("input=junk")}
		r := httptest.NewRequest(http.MethodPost, counter.Path+"/bundle/import", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		if p := w.do(r); body.read != want || (p.code == http.StatusForbidden) == want {
			t.Errorf("from %s: %d, read: %v", origin, p.code, body.read)
		}
	}
}

// TestR09AClosedPageIsNoOutage: whoever gives up waiting must not make the counter believe that the national server is down.
func TestR09AClosedPageIsNoOutage(t *testing.T) {
	w := newWorld(t, sqlite(t))
	if err := w.counter.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.get(counter.Path + "/bundle").body
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.counter.Refresh(ctx); err == nil {
		t.Fatal("a cancelled fetch was well")
	}
	if after := w.get(counter.Path + "/bundle").body; after != before {
		t.Error("the page tells of an outage")
	}
	w.setDown(true)
	if err := w.counter.Refresh(t.Context()); err == nil || w.get(counter.Path+"/bundle").body == before {
		t.Error("a real outage isn't told")
	}
}
