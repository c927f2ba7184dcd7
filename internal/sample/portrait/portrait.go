// Package portrait draws the faces of the invented people: a head, hair and shoulders of a few shapes and colours, like nobody. Pure.
package portrait

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
)

// Size of a portrait in pixels, near the proportions of an identity photo.
const (
	Width  = 168
	Height = 216
)

// fine is how many samples a pixel has in each direction: the edges come out smooth.
const fine = 3

var (
	skins    = []color.RGBA{{243, 214, 190, 255}, {232, 196, 166, 255}, {214, 172, 138, 255}}
	hairs    = []color.RGBA{{38, 32, 36, 255}, {58, 44, 38, 255}, {24, 26, 32, 255}}
	clothes  = []color.RGBA{{52, 86, 122, 255}, {96, 108, 92, 255}, {132, 74, 80, 255}, {72, 72, 88, 255}, {150, 118, 78, 255}}
	grey     = color.RGBA{176, 176, 178, 255}
	paper    = color.RGBA{226, 234, 240, 255}
	features = color.RGBA{70, 52, 50, 255}
)

// face is what tells two drawings apart.
type face struct {
	skin, hair, cloth color.RGBA
	long, glasses     bool
	jaw               float64
}

// Draw draws a person as JPEG. The same name gives the same picture.
func Draw(name string, female, old bool) []byte {
	sum := sha256.Sum256([]byte(name))
	f := face{skin: skins[int(sum[0])%len(skins)], hair: hairs[int(sum[1])%len(hairs)], cloth: clothes[int(sum[2])%len(clothes)],
		long: female && sum[3]%3 > 0, glasses: sum[4]%4 == 0, jaw: float64(sum[5]%3) * 0.02}
	if old {
		f.hair = grey
	}
	img := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for y := range Height {
		for x := range Width {
			img.SetRGBA(x, y, f.pixel(x, y))
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 70}) // a buffer takes everything
	return b.Bytes()
}

// Text is Draw in the form in which records carry images.
func Text(name string, female, old bool) string {
	return base64.StdEncoding.EncodeToString(Draw(name, female, old))
}

// pixel is the mean of its samples.
func (f face) pixel(px, py int) color.RGBA {
	var r, g, b int
	for i := range fine * fine {
		x := (float64(px) + (float64(i%fine)+0.5)/fine) / Width
		y := (float64(py) + (float64(i/fine)+0.5)/fine) / Width
		c := f.at(x, y)
		r, g, b = r+int(c.R), g+int(c.G), b+int(c.B)
	}
	const n = fine * fine
	return color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255}
}

// at is the colour at a point; x is 0 to 1, y 0 to Height/Width. What lies in front is asked first.
func (f face) at(x, y float64) color.RGBA {
	dx := x - 0.5
	if dx < 0 {
		dx = -dx
	}
	switch {
	case within(dx, y, 0.105, 0.60, 0.026, 0.022): // eyes
		return features
	case f.glasses && within(dx, y, 0.105, 0.60, 0.082, 0.070) && !within(dx, y, 0.105, 0.60, 0.070, 0.058):
		return features
	case within(dx, y, 0.105, 0.525, 0.060, 0.014): // brows
		return f.hair
	case within(dx, y, 0, 0.700, 0.026, 0.020): // nose
		return shade(f.skin)
	case within(dx, y, 0, 0.785, 0.075, 0.020): // mouth
		return color.RGBA{168, 92, 88, 255}
	case within(dx, y, 0, 0.33, 0.275, 0.155) && y < 0.46: // fringe
		return f.hair
	case within(dx, y, 0, 0.60, 0.235+f.jaw, 0.31): // face
		return f.skin
	case within(dx, y, 0.24, 0.62, 0.035, 0.06): // ears
		return shade(f.skin)
	case f.long && within(dx, y, 0, 0.72, 0.33, 0.48) && y < 1.06:
		return f.hair
	case within(dx, y, 0, 0.54, 0.285, 0.34) && y < 0.62:
		return f.hair
	case within(dx, y, 0, 0.98, 0.11, 0.17): // neck
		return shade(f.skin)
	case within(dx, y, 0, 1.36, 0.46, 0.36): // shoulders
		return f.cloth
	}
	return paper
}

// within says whether a point lies in an ellipse.
func within(x, y, cx, cy, rx, ry float64) bool {
	x, y = (x-cx)/rx, (y-cy)/ry
	return x*x+y*y <= 1
}

func shade(c color.RGBA) color.RGBA {
	return color.RGBA{uint8(int(c.R) * 9 / 10), uint8(int(c.G) * 9 / 10), uint8(int(c.B) * 9 / 10), 255}
}
