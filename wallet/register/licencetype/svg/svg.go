// Package svg draws the SVG template of a licence type: a card in the proportions of ISO/IEC 7810 ID-1, with placeholders for claims (SD-JWT VC -13,
// section 9). It runs when a type is written: the drawings are files beside the type, and their bytes are pinned from then on. Pure.
package svg

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Size of the card in its own units: it scales to any width.
const (
	Width  = 856
	Height = 540
	margin = 48
	gap    = 28
	// The picture, at the right.
	imageWidth, imageHeight = 196, 252
	// Where the rows of claims start and end.
	rowsTop, rowsEnd = 252, 524
)

// palette is the colours of a drawing.
type palette struct{ ground, deep, line, accent, text, label string }

func colours(c licencetype.Card, dark bool) palette {
	if dark {
		return palette{ground: c.Background(true), deep: c.Color(0.30, 0.09), line: c.Color(0.45, 0.62), accent: c.Color(0.62, 0.70), text: "#f4f6f8", label: c.Color(0.22, 0.78)}
	}
	return palette{ground: c.Background(false), deep: c.Color(0.44, 0.84), line: c.Color(0.45, 0.45), accent: c.Color(0.62, 0.32), text: "#1b1f24", label: c.Color(0.28, 0.34)}
}

// drawing collects the text of a template.
type drawing struct {
	b strings.Builder
	p palette
	t licencetype.Type
	// id makes the names within the drawing its own: pages show several drawings.
	id string
}

func (d *drawing) f(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// Card draws the template of a type for a colour scheme, or returns nil for a type without a card.
func Card(t licencetype.Type, dark bool) []byte {
	if t.Card == nil {
		return nil
	}
	d := &drawing{p: colours(*t.Card, dark), t: t, id: fmt.Sprintf("%s-%d-%s", t.ID, t.Version, map[bool]string{true: "d", false: "l"}[dark])}
	d.f(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="'Noto Sans SC','Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif">`,
		Width, Height, Width, Height)
	d.f(`<title>%s %s</title>`, html.EscapeString(t.Name["zh"]), html.EscapeString(t.Name["en"]))
	d.ground()
	d.head()
	d.claims()
	d.image()
	d.f(`</svg>`)
	return []byte(d.b.String())
}

// ground is the card with a pattern of waves, and the two halves of a tally, which is what hufu means.
func (d *drawing) ground() {
	d.f(`<defs><linearGradient id="%s-g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`, d.id, d.p.ground, d.p.deep)
	d.f(`<clipPath id="%s-c"><rect width="%d" height="%d" rx="30"/></clipPath></defs>`, d.id, Width, Height)
	d.f(`<g clip-path="url(#%s-c)"><rect width="%d" height="%d" fill="url(#%[1]s-g)"/>`, d.id, Width, Height)
	d.f(`<g fill="none" stroke="%s" stroke-opacity=".13" stroke-width="1.2">`, d.p.line)
	for i := range 9 {
		phase := float64(i)*0.32 + float64(d.t.Card.Hue)/57
		var path strings.Builder
		for step := range 13 {
			x := float64(step) * Width / 12
			y := 372 + float64(i)*13 + 58*math.Sin(phase+x/118)
			if step == 0 {
				fmt.Fprintf(&path, "M%.0f %.0f", x, y)
				continue
			}
			slope := 58 * math.Cos(phase+x/118) / 118
			fmt.Fprintf(&path, "S%.0f %.0f %.0f %.0f", x-24, y-24*slope, x, y)
		}
		d.f(`<path d="%s"/>`, path.String())
	}
	d.f(`</g><g fill="%s" fill-opacity=".09"><path d="M708 20a150 150 0 0 1 0 300a75 75 0 0 1 0-150a75 75 0 0 0 0-150z"/><path d="M690 320a150 150 0 0 1 0-300a75 75 0 0 0 0 150a75 75 0 0 1 0 150z" fill-opacity=".05"/></g>`, d.p.line)
	d.f(`<rect width="12" height="%d" fill="%s"/></g>`, Height, d.p.accent)
}

func (d *drawing) head() {
	d.f(`<text x="%d" y="84" font-size="40" font-weight="700" letter-spacing="3" fill="%s">%s</text>`, margin, d.p.accent, html.EscapeString(d.t.Name["zh"]))
	d.f(`<text x="%d" y="116" font-size="20" fill="%s">%s</text>`, margin, d.p.label, html.EscapeString(d.t.Name["en"]))
	d.f(`<path d="M%d 140H%d" stroke="%s" stroke-opacity=".45" stroke-width="2"/>`, margin, margin+d.width(), d.p.accent)
}

// width is what claims have: less beside a picture.
func (d *drawing) width() int {
	if d.t.Card.Image != "" {
		return Width - 2*margin - imageWidth - gap
	}
	return Width - 2*margin
}

func (d *drawing) claims() {
	first := d.t.Card.Claims[0]
	d.claim(first, margin, 168, d.width(), 15, 40)
	rows := d.rows()
	pitch := min(64, (rowsEnd-rowsTop)/max(1, len(rows)))
	for i, row := range rows {
		column := d.width()
		if len(row) > 1 {
			column = (d.width() - gap) / 2
		}
		for j, name := range row {
			d.claim(name, margin+j*(column+gap), rowsTop+i*pitch, column, 14, 23)
		}
	}
}

// rows packs the claims after the first: two in a row, wide ones alone.
func (d *drawing) rows() [][]string {
	var out [][]string
	open := false
	for _, name := range d.t.Card.Claims[1:] {
		wide := slices.Contains(d.t.Card.Wide, name)
		if open && !wide {
			out[len(out)-1] = append(out[len(out)-1], name)
			open = false
			continue
		}
		out = append(out, []string{name})
		open = !wide
	}
	return out
}

// claim draws a label and a value. A value that is too long ends at its column: the holder's wallet has the whole of it.
func (d *drawing) claim(name string, x, y, width, small, large int) {
	i := slices.IndexFunc(d.t.Claims, func(c licencetype.Claim) bool { return c.Name == name })
	label := d.t.Claims[i].Text["zh"] + "  " + d.t.Claims[i].Text["en"]
	d.f(`<text x="%d" y="%d" font-size="%d" fill="%s">%s</text>`, x, y+small/2, small, d.p.label, html.EscapeString(label))
	d.f(`<svg x="%d" y="%d" width="%d" height="%d"><text y="%d" font-size="%d" font-weight="%d" fill="%s">{{%s}}</text></svg>`,
		x, y+small/2+2, width, large*3/2, large+2, large, map[bool]int{true: 700, false: 500}[large > 30], d.p.text, name)
}

func (d *drawing) image() {
	if d.t.Card.Image == "" {
		return
	}
	x, y := Width-margin-imageWidth, 148
	d.f(`<rect x="%d" y="%d" width="%d" height="%d" rx="12" fill="%s" stroke="%s" stroke-opacity=".5" stroke-width="2"/>`, x-5, y-5, imageWidth+10, imageHeight+10, d.p.ground, d.p.accent)
	d.f(`<image x="%d" y="%d" width="%d" height="%d" preserveAspectRatio="xMidYMid slice" href="{{%s}}"/>`, x, y, imageWidth, imageHeight, d.t.Card.Image)
}
