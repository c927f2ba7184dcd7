package federation

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
)

const (
	// attemptLife is how long a person may take at the province.
	attemptLife = 20 * time.Minute
	// maxAttempts is how many a browser keeps: tabs, and provinces tried in vain. The oldest gives way.
	maxAttempts   = 5
	attemptPrefix = "hufu-try-"
	// claimKind names the single use of a state in ClaimOnce.
	claimKind = "federation.state"
)

// start sends the browser to a province. Nothing is written but a sealed cookie, so a link may do it.
func (f *Federation) start(w http.ResponseWriter, r *http.Request) {
	flow, code := mux.Vars(r)["flow"], province.Code(mux.Vars(r)["province"])
	info, err := f.cfg.Flows.Describe(r, flow)
	if err != nil {
		f.flowProblem(w, r, err)
		return
	}
	m, ok := f.members[code]
	if !ok {
		f.problem(w, r, web.ProblemProvinceUnknown, flow, "")
		return
	}
	a := upstream.Attempt{Flow: flow, Province: string(code), State: random(), Nonce: random(), Verifier: random(),
		Started: f.cfg.Now(), Fresh: info.Fresh}
	level, err := upstream.ParseLevel(info.RequiredACR)
	if err != nil {
		level = upstream.LevelNone // the service asked for none
	}
	location, err := m.Connector.Start(r.Context(), a, upstream.StartOptions{Level: level, Language: web.PageLang(r).Tag()})
	if err != nil {
		f.upstreamProblem(w, r, flow, code, err)
		return
	}
	f.evict(w, r)
	if err := f.attemptCookie(attemptName(a.State)).Set(w, r, a); err != nil {
		f.internal(w, r, "attempt cookie", err)
		return
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// random is 256 bits in base64url: 43 characters, also right for a PKCE verifier (RFC 7636 section 4.1).
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

// attemptName is the name of an attempt's cookie. It follows from the state, so the callback finds the right one of several
// tabs without looking into all, but the state can't be read from it.
func attemptName(state string) string {
	sum := sha256.Sum256([]byte("hufu attempt\x00" + state))
	return attemptPrefix + base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (f *Federation) attemptCookie(name string) httpx.Cookie {
	return httpx.Cookie{Name: name, Sealer: f.cfg.Sealer, TTL: attemptLife, Now: f.cfg.Now}
}

// evict makes room for one more attempt: browsers keep few cookies for a site, and servers read short headers only.
func (f *Federation) evict(w http.ResponseWriter, r *http.Request) {
	type kept struct {
		cookie  httpx.Cookie
		started time.Time
	}
	var all []kept
	for _, c := range r.Cookies() {
		name, ours := strings.CutPrefix(c.Name, "__Host-")
		if !ours || !strings.HasPrefix(name, attemptPrefix) || strings.Contains(name, ".") {
			continue
		}
		k := kept{cookie: f.attemptCookie(name)}
		var a upstream.Attempt
		if k.cookie.Get(r, &a) == nil {
			k.started = a.Started
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(b.started.UnixNano(), a.started.UnixNano()) })
	for _, k := range all[min(len(all), maxAttempts-1):] {
		k.cookie.Clear(w, r)
	}
}
