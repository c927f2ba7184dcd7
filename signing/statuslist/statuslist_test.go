package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

type vector struct {
	Name    string
	Bits    int
	Size    int64
	Entries [][2]int64
	Bytes   string
	List    string `json:"lst"`
}

func load(t testing.TB) (token string, lists []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	must(t, err)
	var file struct {
		Token string
		Lists []vector
	}
	must(t, json.Unmarshal(raw, &file))
	return file.Token, file.Lists
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (v vector) set() []Entry {
	set := make([]Entry, len(v.Entries))
	for i, e := range v.Entries {
		set[i] = Entry{e[0], Status(e[1])}
	}
	return set
}

// The specification's lists, compared after inflating: compressors differ in their output.
func TestSpecificationVectors(t *testing.T) {
	_, lists := load(t)
	for _, v := range lists {
		t.Run(v.Name, func(t *testing.T) {
			theirs, err := Decode(v.Bits, v.List)
			must(t, err)
			ours, err := Build(v.Bits, v.Size, v.set())
			must(t, err)
			if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
				t.Error("the bytes differ")
			}
			if v.Bytes != "" && hex.EncodeToString(ours.Bytes()) != v.Bytes {
				t.Errorf("bytes %x, want %s", ours.Bytes(), v.Bytes)
			}
			last := map[int64]Status{}
			for _, e := range v.set() {
				last[e.Index] = e.Value
			}
			for i, want := range last {
				if got, err := theirs.At(i); err != nil || got != want {
					t.Errorf("entry %d: %v, %v, want %v", i, got, err, want)
				}
			}
			text, err := ours.Encode()
			must(t, err)
			again, err := Decode(v.Bits, text)
			must(t, err)
			if !bytes.Equal(again.Bytes(), ours.Bytes()) {
				t.Error("encoding isn't reversible")
			}
		})
	}
}

func TestSpecificationToken(t *testing.T) {
	text, _ := load(t)
	p, err := ParseToken(text)
	must(t, err)
	if p.KeyID() != "12" || p.IssuedAt().Unix() != 1686920170 || p.Alg() != jose.ES256 {
		t.Errorf("%+v", p)
	}
	l, err := Decode(p.bits, p.lst)
	must(t, err)
	if hex.EncodeToString(l.Bytes()) != "b9a3" || p.uri != "https://example.com/statuslists/1" || p.ttl != 12*time.Hour {
		t.Errorf("%+v", p)
	}
}

// Q09: bit order and width. A 2-bit list read as a 1-bit one gives other values, so the width comes from the signed token.
func TestQ09WidthMatters(t *testing.T) {
	two, err := Build(2, 8, []Entry{{1, Suspended}, {3, Invalid}})
	must(t, err)
	one, err := FromBytes(1, two.Bytes())
	must(t, err)
	if s, _ := two.At(1); s != Suspended {
		t.Errorf("entry 1 of the 2-bit list: %v", s)
	}
	if s, _ := one.At(1); s != Valid {
		t.Errorf("entry 1 of the 1-bit list: %v", s)
	}
}

func TestQ09IndexOutOfRange(t *testing.T) {
	l, err := Build(2, 1<<17, nil)
	must(t, err)
	for i, want := range map[int64]error{0: nil, 1<<17 - 1: nil, 1 << 17: ErrIndex, -1: ErrIndex, 1 << 62: ErrIndex} {
		if _, err := l.At(i); !errors.Is(err, want) {
			t.Errorf("index %d: %v, want %v", i, err, want)
		}
	}
	if _, err := (List{}).At(0); !errors.Is(err, ErrIndex) {
		t.Errorf("the zero list has an entry: %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		bits int
		size int64
		set  []Entry
		want error
	}{
		"twin":                {2, 8, []Entry{{7, Suspended}}, nil},
		"three bits":          {3, 8, nil, ErrBits},
		"value too wide":      {1, 8, []Entry{{7, Suspended}}, ErrBits},
		"index = size":        {2, 8, []Entry{{8, Invalid}}, ErrIndex},
		"negative index":      {2, 8, []Entry{{-1, Invalid}}, ErrIndex},
		"no entries":          {2, 0, nil, ErrTooLarge},
		"more than the limit": {8, MaxBytes + 1, nil, ErrTooLarge},
	} {
		if _, err := Build(c.bits, c.size, c.set); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	l, err := Build(2, 8, []Entry{{3, Suspended}, {3, Invalid}})
	must(t, err)
	if s, _ := l.At(3); s != Invalid {
		t.Errorf("the last value of an index: %v", s)
	}
}

func compress(t testing.TB, n int, fill byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	block := bytes.Repeat([]byte{fill}, 1<<16)
	for n > 0 {
		k := min(n, len(block))
		_, err := w.Write(block[:k])
		must(t, err)
		n -= k
	}
	must(t, w.Close())
	return out.Bytes()
}

// bomb is a list of about a megabyte that inflates to a gigabyte: one flushed segment, which refers only to zeros before it, over and over.
func bomb(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	mega := make([]byte, 1<<20)
	segment := func() {
		_, err := w.Write(mega)
		must(t, err)
		must(t, w.Flush())
	}
	segment()
	first := out.Len()
	segment()
	again := bytes.Clone(out.Bytes()[first:])
	return append(bytes.Clone(out.Bytes()[:first]), bytes.Repeat(again, 1023)...)
}

// Q10: a small list that inflates without end stops at the limit, and memory stays flat.
func TestQ10Inflation(t *testing.T) {
	lst := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	good := compress(t, 1<<14, 0)
	broken := bytes.Clone(good)
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		lst  string
		want error
	}{
		"twin":                     {lst(good), nil},
		"exactly the limit":        {lst(compress(t, MaxBytes, 0)), nil},
		"one more than the limit":  {lst(compress(t, MaxBytes+1, 0)), ErrTooLarge},
		"1 GB":                     {lst(bomb(t)), ErrTooLarge},
		"wrong trailer":            {lst(broken), ErrMalformed},
		"truncated":                {lst(good[:len(good)-5]), ErrMalformed},
		"bytes after the end":      {lst(append(bytes.Clone(good), 0)), ErrMalformed},
		"empty list":               {lst(compress(t, 0, 0)), ErrMalformed},
		"nothing":                  {"", ErrMalformed},
		"raw deflate, no zlib":     {lst(good[2 : len(good)-4]), ErrMalformed},
		"gzip":                     {lst([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}), ErrMalformed},
		"padding":                  {lst(good) + "=", ErrMalformed},
		"line break":               {"\n" + lst(good), ErrMalformed},
		"endless: no final block":  {lst(append([]byte{0x78, 0x9c}, bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 1000)...)), ErrMalformed},
		"standard base64 alphabet": {strings.Replace(base64.RawStdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe}), "-", "+", 1), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(1, c.lst)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 { // growing a buffer to 16 MiB, with what the race detector adds; far from the gigabyte
				t.Errorf("allocated %d MiB", grown>>20)
			}
		})
	}
}

func TestTokenRoundTrip(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := key.Public()
	must(t, err)
	other, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	stranger, err := other.Public()
	must(t, err)
	at := time.Unix(1700000000, 0).UTC()
	l, err := Build(2, 1<<17, []Entry{{5, Invalid}, {6, Suspended}})
	must(t, err)
	payload, err := Payload(Claims{URI: "https://s.example/1", IssuedAt: at, Expires: at.Add(time.Hour), TTL: time.Minute, List: l})
	must(t, err)
	text, err := Sign(key, nil, payload)
	must(t, err)
	p, err := ParseToken(text)
	must(t, err)
	token, err := p.Verify("https://s.example/1", pub)
	must(t, err)
	for i, want := range map[int64]Status{0: Valid, 5: Invalid, 6: Suspended} {
		if got, err := token.Status(i, at); err != nil || got != want {
			t.Errorf("entry %d: %v, %v", i, got, err)
		}
	}
	if _, err := p.Verify("https://s.example/2", pub); !errors.Is(err, ErrSubject) {
		t.Errorf("Q09 another list's token: %v", err)
	}
	if _, err := p.Verify("https://s.example/1", stranger); !errors.Is(err, jose.ErrNoKey) && !errors.Is(err, jose.ErrSignature) {
		t.Errorf("Q09 another key: %v", err)
	}
	for offset, want := range map[time.Duration]error{0: nil, time.Hour - time.Second: nil, time.Hour: ErrExpired,
		-time.Minute: nil, -2 * time.Minute: ErrNotYet} {
		if _, err := token.Status(5, at.Add(offset)); !errors.Is(err, want) {
			t.Errorf("Q09 %s later: %v, want %v", offset, err, want)
		}
	}
	again, err := Payload(Claims{URI: "https://s.example/1", IssuedAt: at, Expires: at.Add(time.Hour), TTL: time.Minute, List: l})
	must(t, err)
	if !bytes.Equal(payload, again) {
		t.Error("same list, other bytes")
	}
}

func TestParseTokenRefuses(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	parse := func(typ, payload string) error {
		text, err := jose.Sign(key, jose.Header{Typ: typ}, []byte(payload))
		must(t, err)
		_, err = ParseToken(text)
		return err
	}
	good := `{"sub":"u","iat":1,"exp":2,"ttl":3,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`
	must(t, parse(Typ, good))
	for name, c := range map[string]struct {
		typ, from, to string
		want          error
	}{
		"N01 other type":   {"JWT", "", "", jose.ErrType},
		"no sub":           {Typ, `"sub":"u",`, ``, ErrMalformed},
		"sub not text":     {Typ, `"sub":"u"`, `"sub":1`, ErrMalformed},
		"no iat":           {Typ, `"iat":1,`, ``, ErrMalformed},
		"iat fraction":     {Typ, `"iat":1`, `"iat":1.5`, ErrMalformed},
		"exp negative":     {Typ, `"exp":2`, `"exp":-2`, ErrMalformed},
		"ttl zero":         {Typ, `"ttl":3`, `"ttl":0`, ErrMalformed},
		"three bits":       {Typ, `"bits":1`, `"bits":3`, ErrBits},
		"no bits":          {Typ, `"bits":1,`, ``, ErrMalformed},
		"no list":          {Typ, `"lst":"eNrbuRgAAhcBXQ"`, `"x":1`, ErrMalformed},
		"list not object":  {Typ, `{"bits":1,"lst":"eNrbuRgAAhcBXQ"}`, `[]`, ErrMalformed},
		"duplicate member": {Typ, `"iat":1`, `"iat":1,"iat":2`, jose.ErrDuplicateMember},
	} {
		if err := parse(c.typ, strings.Replace(good, c.from, c.to, 1)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPayloadRefuses(t *testing.T) {
	l, err := Build(1, 8, nil)
	must(t, err)
	at := time.Unix(1700000000, 0)
	for name, c := range map[string]Claims{
		"no uri":         {IssuedAt: at, List: l},
		"no iat":         {URI: "u", List: l},
		"exp before iat": {URI: "u", IssuedAt: at, Expires: at, List: l},
		"no list":        {URI: "u", IssuedAt: at},
	} {
		if _, err := Payload(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseReference(t *testing.T) {
	read := func(text string) (Reference, bool, error) {
		var claims map[string]any
		must(t, jose.DecodeStrict([]byte(text), &claims))
		return ParseReference(claims)
	}
	if ref, ok, err := read(`{"status":{"status_list":{"idx":7,"uri":"u"}}}`); !ok || err != nil || ref != (Reference{"u", 7}) {
		t.Errorf("%v %v %v", ref, ok, err)
	}
	for _, absent := range []string{`{}`, `{"status":{}}`, `{"status":{"other":1}}`} {
		if _, ok, err := read(absent); ok || err != nil {
			t.Errorf("%s: %v %v", absent, ok, err)
		}
	}
	for _, bad := range []string{`{"status":1}`, `{"status":{"status_list":[]}}`, `{"status":{"status_list":{"idx":7}}}`,
		`{"status":{"status_list":{"uri":"u"}}}`, `{"status":{"status_list":{"idx":-1,"uri":"u"}}}`,
		`{"status":{"status_list":{"idx":1.5,"uri":"u"}}}`, `{"status":{"status_list":{"idx":"7","uri":"u"}}}`} {
		if _, ok, err := read(bad); ok || err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	_, lists := load(f)
	for _, v := range lists {
		if len(v.List) < 4000 {
			f.Add(v.Bits, v.List)
		}
	}
	f.Add(2, base64.RawURLEncoding.EncodeToString(compress(f, 1<<14, 0)))
	f.Fuzz(func(t *testing.T, bits int, lst string) {
		l, err := Decode(bits, lst)
		if err != nil {
			return
		}
		if l.Len() == 0 {
			t.Fatal("an empty list")
		}
		if _, err := l.At(l.Len()); err == nil {
			t.Error("an entry behind the end")
		}
		text, err := l.Encode()
		must(t, err)
		again, err := Decode(bits, text)
		if err != nil || !bytes.Equal(again.Bytes(), l.Bytes()) {
			t.Errorf("not reversible: %v", err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	text, _ := load(f)
	f.Add(text)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseToken(text)
		if err == nil && (p.uri == "" || p.issuedAt.IsZero() || p.bits == 0) {
			t.Errorf("%+v", p)
		}
	})
}

// sparse is a list with one entry in a hundred set, sorted.
func sparse(size int64) []Entry {
	var set []Entry
	for i := int64(0); i < size; i += 97 + i%7 {
		set = append(set, Entry{i, Invalid})
	}
	return set
}

func BenchmarkBuild(b *testing.B) {
	for _, exp := range []uint{17, 20} {
		set := sparse(1 << exp)
		b.Run("2^"+map[uint]string{17: "17", 20: "20"}[exp], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(2, 1<<exp, set); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, exp := range []uint{17, 20} {
		l, err := Build(2, 1<<exp, sparse(1<<exp))
		must(b, err)
		b.Run("2^"+map[uint]string{17: "17", 20: "20"}[exp], func(b *testing.B) {
			for b.Loop() {
				text, err := l.Encode()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(text)), "B/list")
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	l, err := Build(2, 1<<20, sparse(1<<20))
	must(b, err)
	text, err := l.Encode()
	must(b, err)
	for b.Loop() {
		if _, err := Decode(2, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	l, err := Build(2, 1<<20, sparse(1<<20))
	must(b, err)
	for i := int64(0); b.Loop(); i += 7919 {
		if _, err := l.At(i & (1<<20 - 1)); err != nil {
			b.Fatal(err)
		}
	}
}
