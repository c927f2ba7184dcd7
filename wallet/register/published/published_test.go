package published_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/wallet/register/published"
)

// golden has the hash of every document that was ever published, below https://id.example.
const golden = "testdata/published.json"

// Credentials pin these bytes, and caches keep them for ever: whoever changes one must give the type a new version. HUFU_UPDATE=1 adds the
// documents of new versions; it never changes a line that is there.
func TestWhatWasPublishedNeverChanges(t *testing.T) {
	types, err := licencetype.Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := published.Documents(types)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	if err := json.Unmarshal(raw, &known); err != nil {
		t.Fatal(err)
	}
	now, added := map[string]string{}, 0
	for _, d := range docs {
		now[d.Path] = d.Integrity
		switch was, ok := known[d.Path]; {
		case !ok && os.Getenv("HUFU_UPDATE") != "":
			known[d.Path] = d.Integrity
			added++
		case !ok:
			t.Errorf("%s is new: HUFU_UPDATE=1 writes it down", d.Path)
		case was != d.Integrity:
			t.Errorf("%s was published as %s and is now %s", d.Path, was, d.Integrity)
		}
	}
	for path := range known {
		if now[path] == "" {
			t.Errorf("%s was published and is gone", path)
		}
	}
	if added > 0 && !t.Failed() {
		b, err := json.MarshalIndent(known, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The first type of all, as it was before versions lay side by side.
	if known["/types/driving-licence/1"] != "sha256-LTQIA//VDQoj3vV20LekxGpWJuoRdn3LPPLnmHybqqI=" {
		t.Error("the list itself was changed")
	}
}

func pages(t *testing.T) *httptest.Server {
	t.Helper()
	types, err := licencetype.Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	p, err := published.New(types, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such type", http.StatusNotFound) })
	if err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	p.Routes(r)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s
}

func TestDocumentsAreServedForEver(t *testing.T) {
	base := pages(t).URL
	for path, media := range map[string]string{"/types/driving-licence/1": "application/json", "/types/driving-licence/2": "application/json",
		"/types/driving-licence/1/schema.json": "application/schema+json", "/types/food-permit/1/dark.svg": "image/svg+xml"} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		h := resp.Header
		if err != nil || resp.StatusCode != 200 || h.Get("Content-Type") != media || h.Get("ETag") != `"`+licencetype.Integrity(body)+`"` ||
			h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v %v", path, resp.StatusCode, h, err)
		}
		if media == "image/svg+xml" && !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox") {
			t.Error("a template opened by itself may run in our origin")
		}
		req, _ := http.NewRequest(http.MethodGet, base+path, nil)
		req.Header.Set("If-None-Match", h.Get("ETag"))
		if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %v %v", path, resp.StatusCode, err)
		}
	}
	for _, path := range []string{"/types/driving-licence/99", "/types/driving-licence/01", "/types/passport/1", "/types/driving-licence/2/x.svg", "/types/driving-licence/1/light.svg",
		"/types/driving-licence/2/..%2f1", "/types/driving-licence/2/light.svg%00"} {
		if resp, err := http.Get(base + path); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v %v", path, resp.StatusCode, err)
		}
	}
}

// The metadata name each template with its hash, and give each claim that it draws its placeholder.
func TestMetadataNameTheTemplates(t *testing.T) {
	types, err := licencetype.Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range licencetype.Newest(types) {
		var doc struct {
			Display []struct {
				Rendering struct {
					Templates []struct {
						URI        string            `json:"uri"`
						Integrity  string            `json:"uri#integrity"`
						Properties map[string]string `json:"properties"`
					} `json:"svg_templates"`
				}
			}
			Claims []struct {
				Path  []string
				SVGID string `json:"svg_id"`
			}
		}
		if err := json.Unmarshal(x.Metadata, &doc); err != nil || len(doc.Display) != 2 {
			t.Fatalf("%s: %v", x.ID, err)
		}
		for _, d := range doc.Display {
			if len(d.Rendering.Templates) != 2 {
				t.Fatalf("%s: %d templates", x.ID, len(d.Rendering.Templates))
			}
			for i, tpl := range d.Rendering.Templates {
				if tpl.URI != x.VCT+"/"+x.Templates[i].Name || tpl.Integrity != licencetype.Integrity(x.Templates[i].SVG) || tpl.Properties["color_scheme"] != licencetype.ColorSchemes[i] {
					t.Errorf("%s: %+v", x.ID, tpl)
				}
			}
		}
		var ids []string
		for _, c := range doc.Claims {
			if c.SVGID != "" {
				ids = append(ids, c.SVGID)
			}
		}
		want := slices.Sorted(slices.Values(x.Card.Drawn()))
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Errorf("%s: placeholders %v, want %v", x.ID, ids, want)
		}
	}
}
