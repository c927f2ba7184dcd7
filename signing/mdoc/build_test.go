package mdoc

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

func TestBuildRefuses(t *testing.T) {
	w := newWorld(t)
	if _, err := Build(w.template); err != nil {
		t.Fatal("twin:", err)
	}
	with := func(e ...Element) []NameSpace { return []NameSpace{{MDLNameSpace, e}} }
	for name, change := range map[string]func(*Template){
		"no docType":             func(tp *Template) { tp.DocType = "" },
		"no namespaces":          func(tp *Template) { tp.NameSpaces = nil },
		"empty namespace":        func(tp *Template) { tp.NameSpaces = with() },
		"namespace twice":        func(tp *Template) { tp.NameSpaces = append(with(Element{"a", "b"}), with(Element{"c", "d"})...) },
		"element twice":          func(tp *Template) { tp.NameSpaces = with(Element{"a", "b"}, Element{"a", "c"}) },
		"element without name":   func(tp *Template) { tp.NameSpaces = with(Element{"", "b"}) },
		"float":                  func(tp *Template) { tp.NameSpaces = with(Element{"a", 1.5}) },
		"nil":                    func(tp *Template) { tp.NameSpaces = with(Element{"a", nil}) },
		"not UTF-8":              func(tp *Template) { tp.NameSpaces = with(Element{"a", "\xff"}) },
		"float in a map":         func(tp *Template) { tp.NameSpaces = with(Element{"a", map[string]any{"b": []any{1.5}}}) },
		"full-date of no day":    func(tp *Template) { tp.NameSpaces = with(Element{"a", FullDate("2026-02-30")}) },
		"tdate with fractions":   func(tp *Template) { tp.NameSpaces = with(Element{"a", TDate("2026-01-31T08:00:00.5Z")}) },
		"tdate of another zone":  func(tp *Template) { tp.NameSpaces = with(Element{"a", TDate("2026-01-31T08:00:00+08:00")}) },
		"no key":                 func(tp *Template) { tp.DeviceKey = jose.JWK{} },
		"signed after validFrom": func(tp *Template) { tp.Signed = tp.ValidFrom.Add(time.Second) },
		"validUntil = validFrom": func(tp *Template) { tp.ValidUntil = tp.ValidFrom },
		"status without URI":     func(tp *Template) { tp.Status = &StatusRef{Index: 1} },
		"status below zero":      func(tp *Template) { tp.Status = &StatusRef{URI: "u", Index: -1} },
		"no randomness":          func(tp *Template) { tp.Random = nil },
	} {
		tp := w.template
		change(&tp)
		if _, err := Build(tp); !errors.Is(err, ErrTemplate) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := w.template
	short.Random = bytes.NewReader(make([]byte, 100))
	if _, err := Build(short); err == nil {
		t.Error("laid out with half the randomness")
	}
}

// Same template and randomness, same bytes: what is recorded is what is signed.
func TestBuildIsDeterministic(t *testing.T) {
	w := newWorld(t)
	lay := func() Laid {
		tp := w.template
		tp.Random = bytes.NewReader(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 1000))
		l, err := Build(tp)
		must(t, err)
		return l
	}
	a, b := lay(), lay()
	if !bytes.Equal(a.MSO, b.MSO) || !bytes.Equal(a.NameSpaces, b.NameSpaces) {
		t.Error("the bytes differ")
	}
}

// P group: two copies of one licence share neither digests nor the places of their elements.
func TestCopiesShareNothing(t *testing.T) {
	w := newWorld(t)
	places, digests := map[string]int{}, map[string]bool{}
	const copies = 40
	for range copies {
		laid, err := Build(w.template)
		must(t, err)
		raw, err := cwt.ParseEncoded(laid.MSO)
		must(t, err)
		var mso wireMSO
		must(t, cwt.Unmarshal(raw, &mso))
		for _, byID := range mso.ValueDigests {
			for _, d := range byID {
				if digests[string(d)] {
					t.Fatal("one digest in two copies")
				}
				digests[string(d)] = true
			}
		}
		p, err := ParseIssuerSigned(w.issue(t, nil))
		must(t, err)
		item, err := parseItem(p.raw[MDLNameSpace]["family_name"])
		must(t, err)
		places[string(rune('a'+item.DigestID))]++
	}
	if len(places) < 5 { // 13 places, 40 draws: the chance of so few is below 10^-14
		t.Errorf("family_name stands at %v", places)
	}
	ids, err := shuffled(20, bytes.NewReader(bytes.Repeat([]byte{9, 1, 7}, 100)))
	must(t, err)
	slices.Sort(ids)
	for i, id := range ids {
		if int(id) != i {
			t.Fatalf("not a permutation: %v", ids)
		}
	}
}

func TestPresentRefuses(t *testing.T) {
	w := newWorld(t)
	p, err := ParseIssuerSigned(w.issue(t, nil))
	must(t, err)
	tr, err := Challenge("n", "a")
	must(t, err)
	if _, err := p.Present(w.device, tr, Show{MDLNameSpace, []string{"portrait", "portrait"}}); err != nil {
		t.Fatal("twin:", err)
	}
	if _, err := p.Present(w.issuer, tr, Show{MDLNameSpace, []string{"portrait"}}); !errors.Is(err, ErrDeviceAuth) {
		t.Errorf("another key: %v", err)
	}
	if _, err := p.Present(w.device, tr, Show{MDLNameSpace, []string{"portait"}}); !errors.Is(err, ErrNoSuchElement) {
		t.Errorf("misspelt: %v", err)
	}
	all, err := p.Present(w.device, tr, p.ShowAll()...)
	must(t, err)
	docs, err := ParseDeviceResponse(all)
	must(t, err)
	if docs[0].Hidden() != 0 {
		t.Errorf("hidden %d", docs[0].Hidden())
	}
	if none, err := p.Present(w.device, tr); err != nil {
		t.Error(err)
	} else if docs, err := ParseDeviceResponse(none); err != nil || docs[0].Hidden() != 14 {
		t.Errorf("showing nothing: %v", err)
	}
}

func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		laid, err := Build(w.template)
		must(b, err)
		_, err = Issue(w.issuer, [][]byte{w.leaf}, laid)
		must(b, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	issued, key := w.issue(b, nil), w.key(b)
	for b.Loop() {
		p, err := ParseIssuerSigned(issued)
		must(b, err)
		_, err = p.Verify(key)
		must(b, err)
	}
}
