package web

import (
	"bytes"
	"html/template"
	"sync"
	"sync/atomic"
)

// maxTiles bounds what is remembered: the provinces, used and not, several times over.
const maxTiles = 512

// tiles remembers the chooser's provinces as HTML: there are 34 on a page that every login begins with, and nearly always the
// same ones. Safe for concurrent use.
type tiles struct {
	set  *template.Template // defines "tile"; of one language
	made sync.Map           // tile -> template.HTML
	n    atomic.Int64
}

// html is {{template "tile" x}}. What says how a province is doing is made anew each time: it holds a time of day.
func (s *tiles) html(x tile) (template.HTML, error) {
	if h, ok := s.made.Load(x); ok {
		return h.(template.HTML), nil
	}
	var b bytes.Buffer
	if err := s.set.ExecuteTemplate(&b, "tile", x); err != nil {
		return "", err
	}
	h := template.HTML(b.String())
	if x.State.IsZero() && s.n.Add(1) <= maxTiles {
		s.made.Store(x, h)
	}
	return h, nil
}
