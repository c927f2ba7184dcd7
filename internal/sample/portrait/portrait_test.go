package portrait_test

import (
	"bytes"
	"image"
	_ "image/jpeg"
	"os"
	"testing"

	"github.com/hufu-id/hufu/internal/sample/portrait"
)

func TestPortraitsAreSmallAndTellPeopleApart(t *testing.T) {
	li, he := portrait.Draw("li-xiuying", true, true), portrait.Draw("he-jiaming", false, false)
	if bytes.Equal(li, he) || !bytes.Equal(li, portrait.Draw("li-xiuying", true, true)) {
		t.Fatal("two people look the same, or one doesn't look like herself")
	}
	for _, b := range [][]byte{li, he} {
		img, format, err := image.Decode(bytes.NewReader(b))
		if err != nil || format != "jpeg" || img.Bounds().Dx() != portrait.Width || img.Bounds().Dy() != portrait.Height || len(b) > 8<<10 {
			t.Errorf("%s of %d bytes, %v", format, len(b), err)
		}
	}
	if dir := os.Getenv("HUFU_LOOK"); dir != "" { // to look at them
		for _, n := range []string{"li-xiuying", "zhao-min", "he-jiaming", "wang-jianguo", "zhang-wei", "shen-yue"} {
			_ = os.WriteFile(dir+"/"+n+".jpg", portrait.Draw(n, n[0] != 'h' && n[0] != 'w' && n != "zhang-wei", n == "li-xiuying"), 0o600)
		}
	}
}
