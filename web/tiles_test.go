package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A remembered tile is only ever shown for what it was made of: another state, link or language is another tile.
func TestRememberedTilesShowWhatIsTrueNow(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	show := func(lang string, province Province) string {
		r := httptest.NewRequest("GET", "/login/x/", nil)
		r.Header.Set("Accept-Language", lang)
		rec := httptest.NewRecorder()
		p.Preferences(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.Chooser(w, r, ChooserPage{Regions: []Region{{Code: "r", Name: Plain("R"), Provinces: []Province{province}}}})
		})).ServeHTTP(rec, r)
		return rec.Body.String()
	}
	well := Province{Code: "440000", Short: "粤", Name: Text{ZH: "广东省", EN: "Guangdong"}, App: "粤省事", Href: "440000", Connected: true}
	slow, gone, named := well, well, well
	slow.State = Text{ZH: "较慢", EN: "Slow now"}
	gone.Connected = false
	named.Name.EN = "<b>Other</b>"
	first := show("en", well)
	if !strings.Contains(first, `id="province-440000"`) || strings.Contains(first, "Slow now") {
		t.Fatal(first)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if show("en", well) != first {
				t.Error("the same page differs the second time")
			}
			if !strings.Contains(show("en", slow), "Slow now") {
				t.Error("the state is not shown")
			}
			if strings.Contains(show("en", gone), `id="province-440000"`) {
				t.Error("a province that is not connected is a link")
			}
			if page := show("en", named); !strings.Contains(page, "&lt;b&gt;Other") {
				t.Error("markup in a name is not text")
			}
			if page := show("zh", well); !strings.Contains(page, "广东省") || strings.Contains(page, "<b>Guangdong") {
				t.Error("the tile is of another language")
			}
		})
	}
	wg.Wait()
}

func TestRememberedTilesAreBounded(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var many []Province
	for i := range 2 * maxTiles {
		many = append(many, Province{Code: fmt.Sprint(i), Name: Plain(fmt.Sprint(i))})
	}
	r := httptest.NewRequest("GET", "/login/x/", nil)
	for range 2 {
		rec := httptest.NewRecorder()
		p.Chooser(rec, r, ChooserPage{Regions: []Region{{Code: "r", Name: Plain("R"), Provinces: many}}})
		if n := strings.Count(rec.Body.String(), `<li><span class="tile off">`); n != len(many) {
			t.Errorf("%d tiles of %d", n, len(many))
		}
	}
}
