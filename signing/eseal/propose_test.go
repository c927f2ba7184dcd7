package eseal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/signing/eseal"
)

func TestAProposalMustBeInOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(*eseal.Issue){
			"owner's check character":   func(i *eseal.Issue) { i.Owner.Code = "1199440000TRY002X8" },
			"owner in small letters":    func(i *eseal.Issue) { i.Owner.Code = strings.ToLower(police) },
			"no owner's name":           func(i *eseal.Issue) { i.Owner.Name = "" },
			"no name":                   func(i *eseal.Issue) { i.Name = "" },
			"name that turns":           func(i *eseal.Issue) { i.Name = "章\u202e" },
			"name too long":             func(i *eseal.Issue) { i.Name = strings.Repeat("章", 61) },
			"kind":                      func(i *eseal.Issue) { i.Kind = "06" },
			"no kinds of documents":     func(i *eseal.Issue) { i.DocumentKinds = nil },
			"unknown kind of document":  func(i *eseal.Issue) { i.DocumentKinds = []string{"poem"} },
			"a kind of document twice":  func(i *eseal.Issue) { i.DocumentKinds = []string{"notice", "approval", "notice"} },
			"begins yesterday":          func(i *eseal.Issue) { i.ValidFrom = "2026-11-22" },
			"begins in two years":       func(i *eseal.Issue) { i.ValidFrom, i.ValidTo = "2028-11-23", "2029-11-23" },
			"ends before it begins":     func(i *eseal.Issue) { i.ValidFrom, i.ValidTo = "2027-01-02", "2027-01-01" },
			"longer than three years":   func(i *eseal.Issue) { i.ValidFrom, i.ValidTo = "2027-01-01", "2030-01-01" },
			"no day":                    func(i *eseal.Issue) { i.ValidTo = "2027-02-30" },
			"another way to write days": func(i *eseal.Issue) { i.ValidTo = "2027-2-3" },
			"picture of text":           func(i *eseal.Issue) { i.Picture = []byte("<svg/>") },
		} {
			i := issue()
			change(i)
			if _, err := w.Propose(context.Background(), maker1, eseal.Proposal{Operation: "issue", Issue: i}); !errors.Is(err, eseal.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		i := issue()
		i.ValidFrom, i.ValidTo, i.DocumentKinds = "2027-01-01", "2029-12-31", []string{"notice", "approval"}
		w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: i})
		if _, err := w.Propose(context.Background(), police1, eseal.Proposal{Operation: "issue", Issue: issue()}); !errors.Is(err, eseal.ErrNotMaker) {
			t.Errorf("a department issues: %v", err)
		}
	})
}

func TestAChangeIsProposedByItsOwnerOrMaker(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for name, c := range map[string]struct {
			who  eseal.Person
			ask  eseal.Proposal
			want error
		}{
			"another organisation": {market1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "r"}, eseal.ErrNotFound},
			"no such seal":         {police1, eseal.Proposal{Operation: "suspend", Seal: police + "-99-0000000000", Reason: "r"}, eseal.ErrNotFound},
			"no seal":              {police1, eseal.Proposal{Operation: "suspend", Reason: "r"}, eseal.ErrNotFound},
			"no reason":            {police1, eseal.Proposal{Operation: "suspend", Seal: x.ID}, eseal.ErrInvalid},
			"NUL in the reason":    {police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "a\x00"}, eseal.ErrInvalid},
			"unknown operation":    {police1, eseal.Proposal{Operation: "destroy", Seal: x.ID, Reason: "r"}, eseal.ErrInvalid},
			"two things at once":   {maker1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "r", Issue: issue()}, eseal.ErrInvalid},
			"issue of a seal":      {maker1, eseal.Proposal{Operation: "issue", Seal: x.ID, Issue: issue()}, eseal.ErrInvalid},
			"issue of nothing":     {maker1, eseal.Proposal{Operation: "issue"}, eseal.ErrInvalid},
		} {
			if _, err := w.Propose(context.Background(), c.who, c.ask); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The twin: one of the owner's and one of the maker's people together.
		if y := w.approve(maker1, w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"}).ID); y.State != eseal.Suspended {
			t.Errorf("%+v", y)
		}
	})
}

func pictures(t *testing.T) (pngFile, jpegFile, gifFile, wide []byte) {
	t.Helper()
	small := image.NewGray(image.Rect(0, 0, 8, 8))
	var a, b, c, d bytes.Buffer
	for _, err := range []error{png.Encode(&a, small), jpeg.Encode(&b, small, nil), gif.Encode(&c, small, nil), png.Encode(&d, image.NewGray(image.Rect(0, 0, 2049, 8)))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a.Bytes(), b.Bytes(), c.Bytes(), d.Bytes()
}

func TestPicturesArePNGOrJPEG(t *testing.T) {
	pngFile, jpegFile, gifFile, wide := pictures(t)
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		for name, b := range map[string][]byte{"gif": gifFile, "too wide": wide, "cut": pngFile[:12], "only magic": []byte("\xff\xd8\xff\xe0"),
			"script": []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`), "too large": slices.Concat(pngFile, make([]byte, eseal.MaxPicture))} {
			i := issue()
			i.Picture = b
			if _, err := w.Propose(ctx, maker1, eseal.Proposal{Operation: "issue", Issue: i}); !errors.Is(err, eseal.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for mediaType, b := range map[string][]byte{"image/png": pngFile, "image/jpeg": jpegFile} {
			i := issue()
			i.Picture = b
			r := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: i})
			if _, err := w.Picture(ctx, r.SealID); !errors.Is(err, eseal.ErrNotFound) {
				t.Errorf("the picture of a seal that is only proposed: %v", err)
			}
			x := w.approve(maker2, r.ID)
			p, err := w.Picture(ctx, x.ID)
			if err != nil || p.MediaType != mediaType || !bytes.Equal(p.Body, b) {
				t.Fatalf("%s: %v", mediaType, err)
			}
			var payload struct {
				Picture struct{ SHA256 string }
			}
			if err := json.Unmarshal([]byte(x.Payload), &payload); err != nil || payload.Picture.SHA256 != p.SHA256 || p.SHA256 == "" {
				t.Errorf("the credential names the picture %q: %v", payload.Picture.SHA256, err)
			}
		}
	})
}
