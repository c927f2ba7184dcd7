package licencetype

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
)

// ColorSchemes are the templates that a type with a card has: light.svg and dark.svg.
var ColorSchemes = []string{"light", "dark"}

// readTemplates finds the drawings beside the type file. They are files and not made anew, since credentials pin their bytes.
func (t *Type) readTemplates() error {
	if t.Card == nil {
		return nil
	}
	for _, scheme := range ColorSchemes {
		b, err := fs.ReadFile(typeFiles, t.Path()[1:]+"/"+scheme+".svg")
		if errors.Is(err, fs.ErrNotExist) {
			continue // a test asks for them; the tool that draws them has to load the type first
		}
		if err != nil {
			return err
		}
		t.Templates = append(t.Templates, Template{Name: scheme + ".svg", SVG: b, Integrity: Integrity(b), ColorScheme: scheme})
	}
	return nil
}

// svgIDForm is what may stand in a placeholder. SD-JWT VC -13, section 9.
var svgIDForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (t Type) checkCard() error {
	if t.Card == nil {
		return nil
	}
	if t.Card.Hue < 0 || t.Card.Hue > 359 || len(t.Card.Claims) == 0 || len(t.Card.Claims) > 8 {
		return errors.New("card: a hue of 0 to 359 and 1 to 8 claims are needed")
	}
	for i, name := range t.Card.Drawn() {
		j := slices.IndexFunc(t.Claims, func(c Claim) bool { return c.Name == name })
		image := j >= 0 && t.kind(t.Claims[j].Source) == "image"
		if j < 0 || !svgIDForm.MatchString(name) || slices.Contains(t.Card.Drawn()[:i], name) || image != (name == t.Card.Image) {
			return fmt.Errorf("card: claim %q is unknown, there twice, or an image where none may be", name)
		}
	}
	for _, name := range t.Card.Wide {
		if !slices.Contains(t.Card.Claims[1:], name) {
			return fmt.Errorf("card: %q is wide but not drawn", name)
		}
	}
	return nil
}

// Drawn are the claims that the card shows.
func (c Card) Drawn() []string {
	if c.Image == "" {
		return c.Claims
	}
	return append(slices.Clone(c.Claims), c.Image)
}

// Background is the colour of the card's ground, as #rrggbb.
func (c Card) Background(dark bool) string {
	if dark {
		return c.Color(0.22, 0.17)
	}
	return c.Color(0.42, 0.93)
}

// Color is a colour of the card's hue by saturation and lightness, both 0 to 1, as #rrggbb.
func (c Card) Color(saturation, lightness float64) string {
	part := func(n float64) int {
		k := math.Mod(n+float64(c.Hue)/30, 12)
		a := saturation * min(lightness, 1-lightness)
		return int(math.Round(255 * (lightness - a*max(-1, min(k-3, 9-k, 1)))))
	}
	return fmt.Sprintf("#%02x%02x%02x", part(0), part(8), part(4))
}
