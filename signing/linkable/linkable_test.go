package linkable_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/linkable"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newKey(t testing.TB) (jose.SigningKey, jose.JWK) {
	t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	k = must(t, k, err)
	own, err := k.Public()
	own = must(t, own, err)
	bare, err := jose.FromPublic(own.Public(), "", "")
	return k, must(t, bare, err)
}

// copyOf is one copy on its way to be issued. A test changes one thing of one or of all of them.
type copyOf struct {
	n         int // its place in the batch
	claims    map[string]any
	holder    jose.JWK
	header    map[string]any
	salts     io.Reader
	selective []sdjwt.Path

	template mdoc.Template
}

var at = time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)

var names = []string{"name", "sex", "birth_date", "nationality", "address", "id_number", "licence_id", "licence_number", "file_number", "issuing_authority", "first_issue_date", "valid_from"}

func batch(t testing.TB, copies int) []*copyOf {
	t.Helper()
	rng := mathrand.New(mathrand.NewPCG(1, 2))
	used := map[int64]bool{}
	out := make([]*copyOf, copies)
	for n := range out {
		_, holder := newKey(t)
		index := rng.Int64N(1 << 17)
		for used[index] {
			index = rng.Int64N(1 << 17)
		}
		used[index] = true
		claims := map[string]any{"iss": "https://issuer.test", "vct": "https://issuer.test/types/1", "iat": at.Unix(), "exp": at.AddDate(0, 3, 0).Unix(),
			"valid_to": "2029-05-21", "vehicle_classes": []string{"C1"},
			"status": map[string]any{"status_list": map[string]any{"uri": "https://issuer.test/status/1", "idx": index}}}
		var selective []sdjwt.Path
		elements := []mdoc.Element{}
		for _, name := range names {
			claims[name] = "value of " + name
			selective = append(selective, sdjwt.P(name))
			elements = append(elements, mdoc.Element{ID: name, Value: "value of " + name})
		}
		out[n] = &copyOf{n: n, claims: claims, holder: holder, salts: rand.Reader, selective: selective, template: mdoc.Template{DocType: "test.1", DeviceKey: holder, Random: rand.Reader,
			NameSpaces: []mdoc.NameSpace{{Name: "test.1", Elements: elements}}, Signed: at, ValidFrom: at, ValidUntil: at.AddDate(0, 3, 0),
			Status: &mdoc.StatusRef{URI: "https://issuer.test/status/1", Index: index}}}
	}
	return out
}

// issue signs the copies in one format.
func issue(t testing.TB, format string, all []*copyOf) [][]byte {
	t.Helper()
	k, _ := newKey(t)
	var out [][]byte
	for _, c := range all {
		if format == "mso_mdoc" {
			l, err := mdoc.Build(c.template)
			l = must(t, l, err)
			b, err := mdoc.Issue(k, [][]byte{[]byte("certificate")}, l)
			out = append(out, []byte(base64.RawURLEncoding.EncodeToString(must(t, b, err))))
			continue
		}
		l, err := sdjwt.Build(sdjwt.Template{Claims: c.claims, Selective: c.selective, Holder: &c.holder, Salts: c.salts})
		l = must(t, l, err)
		jwt, err := jose.Sign(k, jose.Header{Typ: sdjwt.Typ, Extra: c.header}, l.Payload)
		out = append(out, []byte(strings.Join(append([]string{must(t, jwt, err)}, l.Disclosures...), "~")+"~"))
	}
	return out
}

// verdicts are the items that are not clean.
func verdicts(r linkable.Report) string {
	var out []string
	for _, i := range r.Items {
		if i.Verdict != linkable.Clean {
			out = append(out, i.Name+" "+string(i.Verdict))
		}
	}
	return strings.Join(out, ", ")
}

var formats = []string{"dc+sd-jwt", "mso_mdoc"}

func TestCopiesMadeWellAreClean(t *testing.T) {
	for _, format := range formats {
		for _, n := range []int{2, 3, 10, 100} {
			r, err := linkable.Compare(issue(t, format, batch(t, n))...)
			if err != nil || r.Verdict != linkable.Clean || r.Copies != n || r.Format != format {
				t.Errorf("%s, %d copies: %v %+v", format, n, err, r)
			}
		}
	}
}

// Each spoils a batch of ten in one way; TestCopiesMadeWellAreClean is the twin of all.
func TestEachLikenessIsFound(t *testing.T) {
	_, one := newKey(t)
	both := map[string]func(c *copyOf){
		"holder_key linkable":                     func(c *copyOf) { c.holder, c.template.DeviceKey = one, one },
		"status linkable, one index":              func(c *copyOf) { c.index(4711) },
		"status linkable, counted up":             func(c *copyOf) { c.index(int64(1000 + c.n)) },
		"status linkable, counted down by sevens": func(c *copyOf) { c.index(int64(100000 - 7*c.n)) },
		"status linkable, rising":                 func(c *copyOf) { c.index(int64(c.n*c.n*1000 + 17*c.n)) },
		"status linkable, close together":         func(c *copyOf) { c.index(int64(50000 + []int{4, 9, 2, 7, 0, 5, 8, 1, 6, 3}[c.n])) },
		"data linkable": func(c *copyOf) {
			c.claims["address"] = fmt.Sprint("room ", c.n)
			c.template.NameSpaces[0].Elements[4].Value = fmt.Sprint("room ", c.n)
		},
	}
	for name, spoil := range both {
		for _, format := range formats {
			found(t, format, name, spoil)
		}
	}
	counter := byte(0)
	for name, spoil := range map[string]func(c *copyOf){
		"time_iat linkable, to the second":                        func(c *copyOf) { c.claims["iat"] = at.Unix() + 17 },
		"time_exp linkable, to the second":                        func(c *copyOf) { c.claims["exp"] = at.Unix() + 86400 + 1 },
		"time_iat linkable, in hours":                             func(c *copyOf) { c.claims["iat"] = at.Add(-time.Duration(c.n) * time.Hour).Unix() },
		"header linkable":                                         func(c *copyOf) { c.header = map[string]any{"batch": "4711"} },
		"header suspicious":                                       func(c *copyOf) { c.header = map[string]any{"copy": c.n} },
		"always_shown linkable":                                   func(c *copyOf) { c.claims["jti"] = "7" },
		"always_shown linkable, like a number":                    func(c *copyOf) { c.claims["document"] = "LI-20261126-0001" },
		"key_label linkable":                                      func(c *copyOf) { c.holder = labelled(t, c.holder, "phone") },
		"key_label suspicious":                                    func(c *copyOf) { c.holder = labelled(t, c.holder, fmt.Sprint("key-", c.n)) },
		"salts linkable, digests linkable, digest_order linkable": func(c *copyOf) { c.salts = bytes.NewReader(bytes.Repeat([]byte("saltsaltsaltsalt"), 1000)) },
		"salts linkable": func(c *copyOf) {
			c.salts = readerFunc(func(b []byte) (int, error) { // a counter at the end
				for i := range b {
					b[i] = 7
				}
				counter++
				binary.BigEndian.PutUint16(b[len(b)-2:], uint16(counter)*2048+uint16(mathrand.IntN(2048)))
				b[len(b)-3] = byte(c.n)
				b[len(b)-4] = counter
				return len(b), nil
			})
		},
		"digests linkable": func(c *copyOf) {
			if c.n == 3 {
				c.selective = append(c.selective, sdjwt.P("valid_to"))
			}
		},
		"size linkable, data linkable": func(c *copyOf) { c.claims["padding"] = strings.Repeat("x", 10*c.n) },
	} {
		found(t, "dc+sd-jwt", name, spoil)
	}
	for name, spoil := range map[string]func(c *copyOf){
		"time_signed linkable":     func(c *copyOf) { c.template.Signed = at.Add(-time.Second) },
		"time_validUntil linkable": func(c *copyOf) { c.template.ValidUntil = at.AddDate(0, 3, 0).Add(time.Minute) },
		"digests linkable": func(c *copyOf) {
			if c.n == 3 {
				c.template.NameSpaces = append(c.template.NameSpaces, mdoc.NameSpace{Name: "x", Elements: []mdoc.Element{{ID: "y", Value: true}}})
			}
		},
	} {
		found(t, "mso_mdoc", name, spoil)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (c *copyOf) index(i int64) {
	c.claims["status"] = map[string]any{"status_list": map[string]any{"uri": "https://issuer.test/status/1", "idx": i}}
	c.template.Status = &mdoc.StatusRef{URI: "https://issuer.test/status/1", Index: i}
}

func labelled(t testing.TB, k jose.JWK, kid string) jose.JWK {
	t.Helper()
	out, err := jose.FromPublic(k.Public(), kid, "")
	return must(t, out, err)
}

func found(t *testing.T, format, name string, spoil func(*copyOf)) {
	t.Helper()
	all := batch(t, 10)
	for _, c := range all {
		spoil(c)
	}
	want := name
	if i := strings.LastIndex(name, ", "); i >= 0 && !strings.Contains(name[i:], "linkable") {
		want = name[:i]
	}
	r, err := linkable.Compare(issue(t, format, all)...)
	if err != nil {
		t.Errorf("%s %s: %v", format, name, err)
		return
	}
	for _, w := range strings.Split(want, ", ") {
		if !strings.Contains(verdicts(r), w) {
			t.Errorf("%s %s: found %q", format, name, verdicts(r))
		}
	}
}

// A signature that repeats its random number gives the issuer's key away.
func TestRepeatedSignatureIsFound(t *testing.T) {
	all := issue(t, "dc+sd-jwt", batch(t, 2))
	split := func(b []byte) (head, sig, tail string) {
		text := string(b)
		jwt, rest, _ := strings.Cut(text, "~")
		i := strings.LastIndexByte(jwt, '.')
		return jwt[:i+1], jwt[i+1:], "~" + rest
	}
	_, first, _ := split(all[0])
	head, second, tail := split(all[1])
	a, err := base64.RawURLEncoding.DecodeString(first)
	a = must(t, a, err)
	b, err := base64.RawURLEncoding.DecodeString(second)
	b = must(t, b, err)
	all[1] = []byte(head + base64.RawURLEncoding.EncodeToString(append(a[:32:32], b[32:]...)) + tail)
	r, err := linkable.Compare(all...)
	if err != nil || verdicts(r) != "signature linkable" {
		t.Errorf("%v %s", err, verdicts(r))
	}
}

// An mdoc whose digest ids count the elements in one order tells which elements stayed with the holder.
func TestDigestOrderOfMDocIsFound(t *testing.T) {
	all := batch(t, 10)
	for _, c := range all {
		c.template.Random = readerFunc(func(b []byte) (int, error) { // randoms differ, digest ids don't
			if len(b) == 8 {
				clear(b)
				return 8, nil
			}
			return rand.Read(b)
		})
	}
	r, err := linkable.Compare(issue(t, "mso_mdoc", all)...)
	if err != nil || !strings.Contains(verdicts(r), "digest_order linkable") {
		t.Errorf("%v %s", err, verdicts(r))
	}
}

func TestCompareRefuses(t *testing.T) {
	sd, md := issue(t, "dc+sd-jwt", batch(t, 2)), issue(t, "mso_mdoc", batch(t, 2))
	if _, err := linkable.Compare(sd[0]); !errors.Is(err, linkable.ErrFew) {
		t.Error(err)
	}
	if _, err := linkable.Compare(sd[0], md[0]); !errors.Is(err, linkable.ErrMixed) {
		t.Error(err)
	}
	other := batch(t, 2)
	other[1].claims["vct"] = "https://issuer.test/types/2"
	if _, err := linkable.Compare(issue(t, "dc+sd-jwt", other)...); !errors.Is(err, linkable.ErrMixed) {
		t.Error(err)
	}
	for _, junk := range []string{"", "~", "a.b.c~", "AAAA", "{}", "\xff\xfe"} {
		if _, err := linkable.Compare(sd[0], []byte(junk)); !errors.Is(err, linkable.ErrMalformed) {
			t.Errorf("%q: %v", junk, err)
		}
	}
}

// No more than one random batch in a thousand may be suspicious, and none linkable.
func TestChanceIsKeptAtBay(t *testing.T) {
	rng := mathrand.New(mathrand.NewPCG(3, 4))
	suspicious := 0
	base := batch(t, 10)
	// Signing 2,000 batches would take a minute: the indices are what chance acts on.
	const batches = 200
	for range batches {
		for _, c := range base {
			c.index(rng.Int64N(1 << 17))
		}
		r, err := linkable.Compare(issue(t, "dc+sd-jwt", base)...)
		if err != nil || r.Verdict == linkable.Linkable {
			t.Fatalf("%v %s", err, verdicts(r))
		}
		if r.Verdict == linkable.Suspicious {
			suspicious++
		}
	}
	if suspicious > 3 {
		t.Errorf("%d of %d batches are suspicious", suspicious, batches)
	}
}

func FuzzCompare(f *testing.F) {
	for _, format := range formats {
		all := issue(f, format, batch(f, 2))
		f.Add(all[0], all[1])
	}
	f.Add([]byte("~"), []byte{0xa2})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, err := linkable.Compare(a, b)
		if err == nil && (r.Copies != 2 || len(r.Items) == 0) {
			t.Error("nothing said")
		}
	})
}
