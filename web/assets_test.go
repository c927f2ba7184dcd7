package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

func getAsset(p *Pages, method, target, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	p.Assets().ServeHTTP(w, r)
	return w
}

func TestAssetsAreImmutableAndCompressed(t *testing.T) {
	p := testPages(t)
	for name, href := range p.assets.href {
		plain, zipped := getAsset(p, http.MethodGet, href, ""), getAsset(p, http.MethodGet, href, "br, gzip;q=0.8")
		if plain.Code != 200 || plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", name, plain.Code, plain.Header())
		}
		if zipped.Header().Get("Content-Encoding") == "gzip" {
			zr, err := gzip.NewReader(zipped.Body)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(zr); err != nil || !bytes.Equal(b, plain.Body.Bytes()) {
				t.Errorf("%s: gzip holds something else (%v)", name, err)
			}
		} else if strings.HasSuffix(name, ".css") {
			t.Error("the stylesheet is not sent compressed")
		}
		if refused := getAsset(p, http.MethodGet, href, "gzip;q=0"); refused.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: gzip sent to a client that refuses it", name)
		}
		if head := getAsset(p, http.MethodHead, href, ""); head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(plain.Body.Len()) {
			t.Errorf("%s: HEAD %v", name, head.Header())
		}
	}
	for _, missing := range []string{"/assets/style.css", "/assets/", "/assets/../pages.go", "/assets/style.000000000000.css"} {
		if w := getAsset(p, http.MethodGet, missing, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", missing, w.Code)
		}
	}
}

func TestStylesheetRules(t *testing.T) {
	b, err := assetFiles.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	css := string(b)
	for _, bad := range []string{"url(", "@import", "data:", "margin-left", "margin-right", "padding-left", "padding-right", "border-left", "border-right", "text-align:left", "text-align:right", "!important"} {
		if strings.Contains(css, bad) {
			t.Errorf("stylesheet has %q: no foreign source, and only logical properties", bad)
		}
	}
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("unbalanced braces")
	}
	for _, must := range []string{"prefers-color-scheme:dark", "forced-colors:active", "@media print", "prefers-reduced-motion"} {
		if !strings.Contains(css, must) {
			t.Errorf("stylesheet lost %q", must)
		}
	}
}

// TestTextContrast computes WCAG contrast from the stylesheet's own tokens: text 7:1 (the senior rule), the seal 4.5:1, borders 3:1.
func TestTextContrast(t *testing.T) {
	b, _ := assetFiles.ReadFile("style.css")
	blocks := regexp.MustCompile(`:root\{[^}]*\}`).FindAllString(string(b), 2)
	if len(blocks) != 2 {
		t.Fatal("no light and dark tokens")
	}
	tokens := map[string]string{}
	for i, block := range blocks {
		for _, m := range regexp.MustCompile(`--(\w+):(#[0-9a-f]{3,6})`).FindAllStringSubmatch(block, -1) {
			tokens[m[1]] = m[2]
		}
		for name, least := range map[string]float64{"ink": 7, "ink2": 7, "link": 7, "ok": 7, "warn": 7, "bad": 7, "seal": 4.5, "line": 4.5, "focus": 4.5} {
			for _, back := range []string{"paper", "wash"} {
				if name == "seal" || name == "line" || name == "ok" || name == "warn" || name == "bad" || name == "link" || name == "ink2" || name == "ink" || name == "focus" {
					if got := contrast(t, tokens[name], tokens[back]); got < least {
						t.Errorf("mode %d: %s on %s %.2f, want %.1f", i, name, back, got, least)
					}
				}
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	l1, l2 := luminance(t, a), luminance(t, b)
	return (math.Max(l1, l2) + 0.05) / (math.Min(l1, l2) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestQRDrawsEveryModule rebuilds the code's modules from the SVG path and compares them with the encoder's.
func TestQRDrawsEveryModule(t *testing.T) {
	text := testOffer().URI
	svg, err := QR(text, `a "label"`)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	dark := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1H(\d+)z`).FindAllStringSubmatch(string(svg), -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		run, _ := strconv.Atoi(m[3])
		if m[4] != m[1] {
			t.Fatalf("run %s does not close", m[0])
		}
		for i := range run {
			dark[[2]int{x + i, y}] = true
		}
	}
	n := code.Bounds().Dx()
	for y := range n {
		for x := range n {
			if dark[[2]int{x, y}] != isDark(code.At(x, y)) {
				t.Fatalf("module %d,%d differs", x, y)
			}
		}
	}
	if !strings.Contains(string(svg), `aria-label="a &#34;label&#34;"`) {
		t.Error("label is not escaped")
	}
	if _, err := QR(strings.Repeat("x", 3000), ""); err == nil {
		t.Error("a text that fits no code must fail")
	}
}

// TestStylesheetIsWhole: a browser skips a rule that it can't read, and says nothing.
func TestStylesheetIsWhole(t *testing.T) {
	b, err := assetFiles.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	css := string(b)
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("braces don't match")
	}
	for _, mark := range []string{"<<<<", "====", ">>>>"} {
		if strings.Contains(css, mark) {
			t.Errorf("the stylesheet holds %s", mark)
		}
	}
}
