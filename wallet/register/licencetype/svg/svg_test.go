package svg_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/sample/portrait"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/wallet/register/licencetype/svg"
)

func load(t *testing.T) []licencetype.Type {
	t.Helper()
	all, err := licencetype.Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// With HUFU_UPDATE=1 it draws what isn't there yet. What is there was published and is never drawn again.
func TestEveryCardHasItsTemplates(t *testing.T) {
	for _, x := range load(t) {
		if x.Card == nil {
			continue
		}
		for _, scheme := range licencetype.ColorSchemes {
			file := filepath.Join("..", x.Path()[1:], scheme+".svg")
			if _, err := os.Stat(file); err == nil {
				continue
			}
			if os.Getenv("HUFU_UPDATE") == "" {
				t.Errorf("%s is missing: HUFU_UPDATE=1 draws it", file)
				continue
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, svg.Card(x, scheme == "dark"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{\{([^}]*)\}\}`)

// A template runs in somebody's wallet: it must hold nothing that runs or fetches, and only placeholders of claims.
func TestTemplatesAreDrawingsAndNothingElse(t *testing.T) {
	seen := 0
	for _, x := range load(t) {
		for _, tpl := range x.Templates {
			seen++
			if faults := faultsOf(tpl.SVG, x.Card.Drawn()); len(faults) > 0 {
				t.Errorf("%s/%s: %v", x.Path(), tpl.Name, faults)
			}
			if len(tpl.SVG) > 20<<10 {
				t.Errorf("%s/%s has %d bytes", x.Path(), tpl.Name, len(tpl.SVG))
			}
			for _, name := range x.Card.Drawn() {
				if !bytes.Contains(tpl.SVG, []byte("{{"+name+"}}")) {
					t.Errorf("%s/%s lacks {{%s}}", x.Path(), tpl.Name, name)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d templates", seen)
	}
	good := `<svg xmlns="http://www.w3.org/2000/svg"><text>{{name}}</text></svg>`
	if f := faultsOf([]byte(good), []string{"name"}); len(f) > 0 {
		t.Errorf("the twin: %v", f)
	}
	for name, bad := range map[string]string{
		"script": strings.Replace(good, "<text>", "<script>x</script><text>", 1), "style": strings.Replace(good, "<text>", "<style>x</style><text>", 1),
		"handler": strings.Replace(good, "<text>", `<text onload="x">`, 1), "link": strings.Replace(good, "<text>", `<image href="https://x.example/a.png"/><text>`, 1),
		"foreign": strings.Replace(good, "<text>", `<foreignObject/><text>`, 1), "placeholder": strings.Replace(good, "{{name}}", "{{weight}}", 1),
		"url": strings.Replace(good, "<text>", `<text fill="url(https://x.example/#a)">`, 1), "entity": `<!DOCTYPE x [<!ENTITY e "x">]>` + good, "broken": good[:40],
	} {
		if len(faultsOf([]byte(bad), []string{"name"})) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

var elements = []string{"svg", "title", "defs", "linearGradient", "stop", "clipPath", "rect", "g", "path", "text", "image"}

func faultsOf(b []byte, ids []string) (out []string) {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(out, err.Error())
		}
		switch x := tok.(type) {
		case xml.Directive, xml.ProcInst:
			out = append(out, "a directive")
		case xml.StartElement:
			if !slices.Contains(elements, x.Name.Local) {
				out = append(out, x.Name.Local)
			}
			for _, a := range x.Attr {
				outside := strings.Contains(a.Value, ":") && a.Name.Local != "xmlns" || strings.Contains(a.Value, "url(") && !strings.HasPrefix(a.Value, "url(#")
				if strings.HasPrefix(a.Name.Local, "on") || outside || a.Name.Local == "href" && !placeholder.MatchString(a.Value) {
					out = append(out, a.Name.Local)
				}
			}
		}
	}
	for _, m := range placeholder.FindAllSubmatch(b, -1) {
		if !slices.Contains(ids, string(m[1])) {
			out = append(out, string(m[0]))
		}
	}
	return out
}

// TestLook writes the cards with sample values into HUFU_LOOK, for people to look at.
func TestLook(t *testing.T) {
	dir := os.Getenv("HUFU_LOOK")
	if dir == "" {
		return
	}
	values := map[string]string{"name": "李秀英", "portrait": "data:image/jpeg;base64," + portrait.Text("li-xiuying", true, true), "credit_code": "91994401MA5TRY010A",
		"id_number": "99440119490312002X", "licence_number": "JY19944010012345", "representative": "王建国", "address": "沙箱省测试市样本路 1 号", "plate": "沙A12345"}
	var page strings.Builder
	page.WriteString(`<meta charset="utf-8"><body style="margin:0;display:grid;grid-template-columns:1fr 1fr 1fr 1fr;gap:8px;background:#888">`)
	for _, x := range load(t) {
		for _, tpl := range x.Templates {
			page.WriteString(placeholder.ReplaceAllStringFunc(string(tpl.SVG), func(m string) string {
				name := m[2 : len(m)-2]
				v := values[name]
				if v == "" && strings.Contains(name, "date") || strings.Contains(name, "valid") {
					v = "2029-05-21"
				} else if v == "" {
					v = "沙箱样本 " + name
				}
				return html.EscapeString(v)
			}))
		}
	}
	out := regexp.MustCompile(`width="856" height="540" role`).ReplaceAllString(page.String(), `width="100%" role`)
	if err := os.WriteFile(filepath.Join(dir, "cards.html"), fmt.Append(nil, out), 0o644); err != nil {
		t.Fatal(err)
	}
}
