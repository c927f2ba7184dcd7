package developer

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web/developerpages"
)

// client shows the last requests of a client to its developer. Another client's developer is told what anybody is told of a page that
// doesn't exist.
func (h *Handler) client(w http.ResponseWriter, r *http.Request) {
	id, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		h.notFound(w, r)
		return
	}
	var c client.Client
	page := developerpages.TrailPage{ID: id}
	if h.Open {
		c, err = h.Clients.Get(r.Context(), id)
		page.Other = startPath
	} else {
		s := h.of(r)
		if s.Client == "" {
			http.Redirect(w, r, startPath, http.StatusSeeOther)
			return
		}
		c, err = h.signedIn(r.Context(), s, id)
		page.Leave, page.CSRF = leavePath, httpx.FormToken(h.FormKey, s.Key)
	}
	if errors.Is(err, client.ErrUnknown) || errors.Is(err, errOther) {
		h.notFound(w, r)
		return
	}
	if err != nil {
		h.fault(w, r, err)
		return
	}
	entries, err := h.Trail.Of(r.Context(), c.ID)
	if err != nil {
		h.fault(w, r, err)
		return
	}
	told, err := h.Deliveries(r.Context(), c.ID)
	if err != nil {
		h.fault(w, r, err)
		return
	}
	for _, d := range told {
		page.Deliveries = append(page.Deliveries, developerpages.Delivery{At: d.CreatedAt, State: d.State.String(), Attempts: d.Attempts, Error: d.Error})
	}
	page.Name, page.Refused = c.Name, r.URL.Query().Get("show") == "refused"
	page.All, page.Only = clientPath(id), clientPath(id)+"?show=refused"
	page.Groups, page.Dropped = groups(entries, page.Refused)
	h.Pages.Trail(w, r, page)
}

// rank orders the steps of one moment.
var rank = map[trail.Step]int{trail.Register: 0, trail.Push: 1, trail.Authorize: 2, trail.Login: 3, trail.Consent: 4, trail.Code: 5, trail.Token: 6,
	trail.Refresh: 7, trail.Userinfo: 8, trail.Introspect: 9, trail.Revoke: 10, trail.Logout: 11}

// groups puts the entries of one login together, newest login first.
func groups(entries []trail.Entry, refusedOnly bool) (out []developerpages.Group, dropped int) {
	parent := map[string]string{} // of a tie; each set of ties is one login
	var root func(string) string
	root = func(t string) string {
		if p, ok := parent[t]; ok && p != t {
			return root(p)
		}
		return t
	}
	for _, e := range entries {
		for _, t := range e.Ties {
			parent[root(t)] = root(e.Ties[0])
		}
	}
	sets := map[string][]trail.Entry{}
	var order []string
	for i, e := range entries { // newest first
		if e.Step == trail.Dropped {
			dropped += int(e.Count)
			continue
		}
		key := "request " + e.Trace
		if len(e.Ties) > 0 {
			key = root(e.Ties[0])
		} else if e.Trace == "" {
			key = "entry " + strconv.Itoa(i)
		}
		if _, known := sets[key]; !known {
			order = append(order, key)
		}
		sets[key] = append(sets[key], e)
	}
	for _, key := range order {
		g := group(sets[key])
		if refusedOnly && g.Failed == 0 {
			continue
		}
		g.Open = g.Failed > 0 || len(out) == 0
		out = append(out, g)
	}
	return out, dropped
}

func group(entries []trail.Entry) developerpages.Group {
	slices.SortStableFunc(entries, func(a, b trail.Entry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(rank[a.Step], rank[b.Step]))
	})
	g := developerpages.Group{At: entries[len(entries)-1].At}
	for _, e := range entries {
		s := step(e)
		if !s.OK && !s.Expected {
			g.Failed++
		}
		g.Steps = append(g.Steps, s)
	}
	return g
}

// step is one entry in words.
func step(e trail.Entry) developerpages.Step {
	s := developerpages.Step{Name: developerpages.StepName(string(e.Step)), OK: e.OK, At: e.At, Trace: e.Trace, Times: int(e.Count), First: e.First}
	if !e.OK {
		s.Expected = e.Code == string(oauth.UseDPoPNonce)
		s.Refusal = developerpages.Refusal{Code: e.Code, Description: e.Description}
		if entry, ok := oauth.Lookup(oauth.Code(e.Code), e.Description); ok {
			s.Refusal = refusal(entry)
		}
		if e.Reason != "" {
			s.Reason = oauth.Reason(e.Reason).Words()
		}
	}
	if at, err := strconv.Atoi(e.Detail[trail.DiffersAt]); err == nil {
		s.Differ = &developerpages.Differ{Sent: developerpages.CutAt(e.Detail["redirect_uri"], at),
			Registered: developerpages.CutAt(e.Detail[trail.Registered], at), Place: at + 1}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		if s.Differ != nil && (name == "redirect_uri" || name == trail.Registered || name == trail.DiffersAt) {
			continue
		}
		s.Facts = append(s.Facts, developerpages.Fact{Name: name, Value: e.Detail[name], Hidden: e.Detail[name] == trail.Present,
			Unknown: name == trail.Others})
	}
	return s
}
