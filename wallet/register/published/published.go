// Package published serves what is public of licence types: for each version its metadata at the URL that vct names, and below that the
// JSON Schema of its records and its SVG templates. A version never changes, so caches may keep all of it for ever.
package published

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/wallet/register/licencetype/schema"
)

// Document is one file.
type Document struct {
	// Path is where it is served, below the type base.
	Path      string
	MediaType string
	Body      []byte
	// Integrity is "sha256-<base64>" of Body.
	Integrity string
}

// Documents returns everything that is published of types, in order of Path.
func Documents(types []licencetype.Type) ([]Document, error) {
	var out []Document
	for _, t := range types {
		out = append(out, document(t.Path(), "application/json", t.Metadata))
		raw, err := schema.Of(t)
		if err != nil {
			return nil, fmt.Errorf("published: %w", err)
		}
		out = append(out, document(t.Path()+"/"+schema.Name, "application/schema+json", raw))
		for _, x := range t.Templates {
			out = append(out, document(t.Path()+"/"+x.Name, "image/svg+xml", x.SVG))
		}
	}
	slices.SortFunc(out, func(a, b Document) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func document(path, media string, body []byte) Document {
	return Document{path, media, body, licencetype.Integrity(body)}
}

// Pages serves documents. It is safe for concurrent use.
type Pages struct {
	documents map[string]Document
	missing   http.HandlerFunc
}

// New returns Pages for all versions of all types. missing answers for what there isn't.
func New(types []licencetype.Type, missing http.HandlerFunc) (*Pages, error) {
	all, err := Documents(types)
	if err != nil {
		return nil, err
	}
	p := &Pages{documents: make(map[string]Document, len(all)), missing: missing}
	for _, d := range all {
		p.documents[d.Path] = d
	}
	return p, nil
}

// Routes mounts the pages.
func (p *Pages) Routes(r *mux.Router) {
	r.HandleFunc("/types/{name}/{version}", p.serve).Methods(http.MethodGet, http.MethodHead, http.MethodOptions)
	r.HandleFunc("/types/{name}/{version}/{file}", p.serve).Methods(http.MethodGet, http.MethodHead, http.MethodOptions)
}

func (p *Pages) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	path := "/types/" + mux.Vars(r)["name"] + "/" + mux.Vars(r)["version"]
	if file := mux.Vars(r)["file"]; file != "" {
		path += "/" + file
	}
	d, ok := p.documents[path]
	if !ok {
		p.missing(w, r)
		return
	}
	h.Set("Content-Type", d.MediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+d.Integrity+`"`)
	if d.MediaType == "image/svg+xml" {
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // opened by itself it is a document of our origin
	}
	if etagMatches(r.Header.Get("If-None-Match"), d.Integrity) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(d.Body)))
	_, _ = w.Write(d.Body)
}

func etagMatches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == `"`+tag+`"` {
			return true
		}
	}
	return false
}
