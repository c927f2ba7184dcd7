package flow

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
)

// Limits of what one browser keeps.
const (
	Life     = 30 * time.Minute
	maxFlows = 8
	// maxBytes of all flow cookies together: beyond it the oldest go, or the request headers would grow past what servers accept.
	maxBytes = 36 << 10
)

// cookiePrefix of the cookies' names; the rest is the flow's id.
const cookiePrefix = "hufu-flow-"

// ErrTooLarge: the request is larger than what a browser can keep for us.
var ErrTooLarge = errors.New("flow: too large for cookies")

// Jar keeps flows in browsers. Safe for concurrent use.
type Jar struct {
	Sealer *httpx.Sealer
	Now    func() time.Time
}

// New begins a flow. Nothing is kept before Put.
func (j *Jar) New(req Request) State {
	now := j.Now()
	var raw [12]byte
	var csrf [16]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	_, _ = rand.Read(csrf[:])
	return State{
		// The time in front makes the oldest flow the smallest id.
		ID: fmt.Sprintf("%012x", now.UnixMilli()) + hex.EncodeToString(raw[:]), CreatedAt: now.Truncate(time.Second), Request: req,
		CSRF: base64.RawURLEncoding.EncodeToString(csrf[:]),
	}
}

func (j *Jar) cookie(id string) httpx.Cookie {
	return httpx.Cookie{Name: cookiePrefix + id, Sealer: j.Sealer, TTL: Life, Now: j.Now}
}

// validID keeps foreign text out of cookie names.
func validID(id string) bool {
	return len(id) == 36 && !strings.ContainsFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// Put keeps a flow in the browser, and lets the oldest others go when there are too many. ErrTooLarge.
func (j *Jar) Put(w http.ResponseWriter, r *http.Request, s State) error {
	err := j.cookie(s.ID).Set(w, r, s)
	if errors.Is(err, httpx.ErrCookieTooLarge) {
		return ErrTooLarge
	}
	if err != nil {
		return err
	}
	size, total := map[string]int{}, 0
	for _, c := range r.Cookies() {
		rest, ok := strings.CutPrefix(c.Name, "__Host-"+cookiePrefix)
		id, _, _ := strings.Cut(rest, ".")
		if ok && id != s.ID {
			size[id] += len(c.Name) + len(c.Value)
			total += len(c.Name) + len(c.Value)
		}
	}
	ids := make([]string, 0, len(size))
	for id := range size {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for len(ids) > 0 && (len(ids) >= maxFlows || total > maxBytes) {
		j.cookie(ids[0]).Clear(w, r)
		total -= size[ids[0]]
		ids = ids[1:]
	}
	return nil
}

// Get reads a flow of this browser. ErrNone.
func (j *Jar) Get(r *http.Request, id string) (State, error) {
	var s State
	if !validID(id) || j.cookie(id).Get(r, &s) != nil || s.ID != id {
		return State{}, ErrNone
	}
	return s, nil
}

// End takes a flow from the browser.
func (j *Jar) End(w http.ResponseWriter, r *http.Request, id string) {
	if validID(id) {
		j.cookie(id).Clear(w, r)
	}
}
