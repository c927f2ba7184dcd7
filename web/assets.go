package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

//go:embed style.css mark.svg counter.js handback.js
var assetFiles embed.FS

// assets are the files under /assets/, each under a name that holds the hash of its content: a name never changes meaning, so
// browsers may keep it for ever.
type assets struct {
	prefix string
	byName map[string]*asset // hashed name
	href   map[string]string // plain name -> <prefix><hashed name>
}

type asset struct {
	mime    string
	csp     string
	body    []byte
	gzipped []byte // nil when not smaller
}

func loadAssets(base string) (*assets, error) {
	a := &assets{prefix: base + "/assets/", byName: map[string]*asset{}, href: map[string]string{}}
	for name, mime := range map[string]string{"style.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml", "counter.js": "text/javascript; charset=utf-8",
		"handback.js": "text/javascript; charset=utf-8"} {
		b, err := assetFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		f := &asset{mime: mime, body: b, csp: "default-src 'none'"}
		if path.Ext(name) == ".css" {
			f.body = minifyCSS(b)
		} else if m := svgStyle.FindSubmatch(b); m != nil {
			sum := sha256.Sum256(m[1]) // the mark knows dark mode by its own style element, allowed by its hash and nothing more
			f.csp += "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		var z bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
		_, _ = zw.Write(f.body) // a bytes.Buffer takes everything
		_ = zw.Close()
		if z.Len() < len(f.body) {
			f.gzipped = z.Bytes()
		}
		sum := sha256.Sum256(f.body)
		hashed := strings.TrimSuffix(name, path.Ext(name)) + "." + hex.EncodeToString(sum[:6]) + path.Ext(name)
		a.byName[hashed] = f
		a.href[name] = a.prefix + hashed
	}
	return a, nil
}

var (
	svgStyle   = regexp.MustCompile(`<style>([^<]*)</style>`)
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssSpace   = regexp.MustCompile(`\s*\n\s*`)
)

// minifyCSS removes comments and line breaks. The stylesheet has no strings that hold either.
func minifyCSS(b []byte) []byte {
	return bytes.TrimSpace(cssSpace.ReplaceAll(cssComment.ReplaceAll(b, nil), nil))
}

// Assets serves the stylesheet, the mark and the counter's script under /assets/, for a counter below its base. Mount it on that prefix, without StripPrefix.
func (p *Pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := p.assets.byName[strings.TrimPrefix(r.URL.Path, p.assets.prefix)]
		if f == nil {
			p.Problem(w, r, NewProblem(ProblemNotFound, nil))
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.mime)
		h.Set("Content-Security-Policy", f.csp)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		body := f.body
		if f.gzipped != nil && acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = f.gzipped
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(body)
		}
	})
}

// acceptsGzip reports whether the client named gzip and did not refuse it.
func acceptsGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, param, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.EqualFold(coding, "gzip") {
			q := strings.TrimSpace(param)
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
