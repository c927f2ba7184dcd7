package licencetype

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// MaxImage is the most bytes of an image in a record. GB/T 36903: photos of at most 50 KB.
const MaxImage = 50 << 10

// Media types of images, told by how they begin: what a sender calls them doesn't count.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
)

// sniff tells what an image is, or "". Nothing else ever becomes a data URL: an SVG there would be a program.
func sniff(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")) && bytes.HasSuffix(b, []byte("\xff\xd9")):
		return JPEG
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) && bytes.HasSuffix(b, []byte("IEND\xaeB`\x82")):
		return PNG
	}
	return ""
}

// decodeImage reads the form in which images are sent and kept: standard base64 with padding, one spelling for one image. The decoder
// itself would skip line ends.
func decodeImage(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") || len(text) > base64.StdEncoding.EncodedLen(MaxImage) {
		return nil, fmt.Errorf("licencetype: not an image of at most %d bytes in one line of base64", MaxImage)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// image checks an image and returns it as it came, or nil.
func (f *Faults) image(d Field, name, text string) any {
	if len(text) > base64.StdEncoding.EncodedLen(MaxImage) {
		f.Add(name, CodeTooLarge, "is larger than %d bytes", MaxImage)
		return nil
	}
	b, err := decodeImage(text)
	switch {
	case err != nil:
		f.Add(name, CodeFormat, "is not standard base64 with padding, in one line")
		return nil
	case len(b) > MaxImage:
		f.Add(name, CodeTooLarge, "is larger than %d bytes", MaxImage)
		return nil
	}
	media := d.Media
	if len(media) == 0 {
		media = []string{JPEG, PNG}
	}
	if !slices.Contains(media, sniff(b)) {
		f.Add(name, CodeFormat, "must be a whole image of the type %s", strings.Join(media, " or "))
		return nil
	}
	return text
}

// dataURL is an image of a record as a claim.
func dataURL(text string) string {
	b, err := decodeImage(text)
	if err != nil {
		return ""
	}
	return "data:" + sniff(b) + ";base64," + text
}
