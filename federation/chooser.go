package federation

import (
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
)

// rememberedFor is how long a browser remembers the province; the cookie holds its code and nothing else.
const rememberedFor = 180 * 24 * time.Hour

// maxSearch bounds what is echoed into the search field, in bytes.
const maxSearch = 128

func (f *Federation) chooser(w http.ResponseWriter, r *http.Request) {
	flow := mux.Vars(r)["flow"]
	info, err := f.cfg.Flows.Describe(r, flow)
	if err != nil {
		f.flowProblem(w, r, err)
		return
	}
	page := web.ChooserPage{
		Docket:  web.Docket{Service: info.ServiceName, Department: info.ClientName, RequiredACR: info.RequiredACR, About: info.About},
		Regions: f.regions(),
		Cancel:  "cancel",
	}
	if used, ok := f.remembered(r); ok {
		tile := f.tile(used)
		page.Remembered, page.Forget = &tile, "forget"
	}
	// A query that can't be read is no reason to keep somebody from logging in: the whole list is shown.
	if q, err := httpx.Query(r); err == nil {
		if page.Query = q.Get("q"); len(page.Query) > maxSearch || !utf8.ValidString(page.Query) {
			page.Query = ""
		}
	}
	if page.Query != "" {
		for _, p := range province.Search(page.Query) {
			page.Results = append(page.Results, f.tile(p))
		}
	}
	httpx.AllowImage(w, info.About.Logo)
	f.cfg.Pages.Chooser(w, r, page)
}

// regions is the whole list with the state of each member.
func (f *Federation) regions() []web.Region {
	var out []web.Region
	all := province.All()
	for _, region := range province.Regions() {
		group := web.Region{Code: region.Key, Name: web.Text{ZH: region.ZH, EN: region.EN}}
		for _, p := range all {
			if p.Region == region.Key {
				group.Provinces = append(group.Provinces, f.tile(p))
			}
		}
		out = append(out, group)
	}
	return out
}

func (f *Federation) tile(p province.Province) web.Province {
	m, connected := f.members[p.Code]
	tile := web.Province{Code: string(p.Code), Short: p.Abbr, Name: nameOf(p), App: p.App, Href: string(p.Code), Connected: connected}
	if connected {
		tile.State = inWords(m.Connector.State())
	}
	return tile
}

func nameOf(p province.Province) web.Text { return web.Text{ZH: p.Name, EN: p.English} }

// inWords says a state so that one can decide whether to wait.
func inWords(s upstream.State) web.Text {
	switch {
	case s.Down:
		at := web.Clock(s.Until)
		return web.Text{ZH: "暂时登不上，" + at + " 再试", EN: "Cannot be reached, next try " + at}
	case s.Slow > 0:
		n := int(s.Slow / time.Second)
		return web.Text{ZH: fmt.Sprintf("较慢，约多等 %d 秒", n), EN: fmt.Sprintf("Slow, about %d s longer", n)}
	}
	return web.Text{}
}

// forget clears the remembered province. A link may do it: the worst that a stranger's page can achieve is one more click.
func (f *Federation) forget(w http.ResponseWriter, r *http.Request) {
	f.memory().Clear(w, r)
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

func (f *Federation) memory() httpx.Cookie {
	return httpx.Cookie{Name: "hufu-province", Sealer: f.cfg.Sealer, TTL: rememberedFor, Now: f.cfg.Now}
}

func (f *Federation) remembered(r *http.Request) (province.Province, bool) {
	var code province.Code
	if f.memory().Get(r, &code) != nil {
		return province.Province{}, false
	}
	if _, member := f.members[code]; !member {
		return province.Province{}, false
	}
	return province.Lookup(code)
}

// flowProblem answers an error of Flows.
func (f *Federation) flowProblem(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrNoFlow) {
		f.problem(w, r, web.ProblemFlowGone, "", "")
		return
	}
	f.internal(w, r, "flow", err)
}
