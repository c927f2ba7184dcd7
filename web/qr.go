package web

import (
	"fmt"
	"html/template"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// QR returns text as an inline SVG QR code (level M, UTF-8): one path, black on white in every mode, with the quiet zone of four modules that
// scanners need. label names it for people who can't see it. It fails when text is too long for a QR code (2,331 bytes).
func QR(text, label string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("web: qr: %w", err)
	}
	n := code.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="qr" viewBox="-4 -4 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges"><path fill="#000" d="`,
		n+8, n+8, template.HTMLEscapeString(label))
	for y := range n {
		for x := 0; x < n; {
			run := x
			for run < n && isDark(code.At(run, y)) {
				run++
			}
			if run > x {
				fmt.Fprintf(&b, "M%d %dh%dv1H%dz", x, y, run-x, x)
			}
			x = run + 1
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil
}

func isDark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r < 0x8000
}
