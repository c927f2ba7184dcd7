package jades

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// raw is a signature taken apart: the header as text, the rest as it is.
type raw struct {
	header    string
	signature string
	outer     map[string]any // more members, or others instead
}

func (s stamp) raw(t testing.TB, header string) raw {
	t.Helper()
	digest := sha256.Sum256([]byte(encode([]byte(header)) + "."))
	key, ok := s.key.Key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("a %T", s.key.Key)
	}
	r, ss, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return raw{header: header, signature: encode(append(r.FillBytes(make([]byte, 32)), ss.FillBytes(make([]byte, 32))...)), outer: map[string]any{}}
}

func (r raw) bytes(t testing.TB) []byte {
	t.Helper()
	outer := map[string]any{"protected": encode([]byte(r.header)), "signature": r.signature}
	for name, v := range r.outer {
		if outer[name] = v; v == nil {
			delete(outer, name)
		}
	}
	b, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// accepted parses and verifies.
func accepted(b []byte) error {
	p, err := Parse(b)
	if err == nil {
		_, err = p.Verify()
	}
	return err
}

func headerOf(t testing.TB, s stamp) string {
	t.Helper()
	b, err := LayOut(s.template())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each is signed with the right key, so that only the form can be why it is refused. Its twin is the header as laid out.
func TestHeadersThatSaySomethingElseAreRefused(t *testing.T) {
	s, other := newStamp(t), newStamp(t)
	good := headerOf(t, s)
	if err := accepted(s.raw(t, good).bytes(t)); err != nil {
		t.Fatalf("the twin: %v", err)
	}
	sum := func(text string) string { h := sha256.Sum256([]byte(text)); return encode(h[:]) }
	digest, thumb := sum("the file"), sum(string(s.chain[0]))
	replace := func(old, with string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is in it %d times", old, strings.Count(good, old))
		}
		return strings.Replace(good, old, with, 1)
	}
	add := func(member string) string { return "{" + member + "," + good[1:] }
	const crit = `"crit":["b64","sigD"]`
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"crit absent":                   {replace(","+crit, ""), jose.ErrCritical},
		"crit without b64":              {replace(crit, `"crit":["sigD"]`), jose.ErrCritical},
		"crit without sigD":             {replace(crit, `"crit":["b64"]`), jose.ErrCritical},
		"crit with b64 twice":           {replace(crit, `"crit":["b64","b64"]`), jose.ErrCritical},
		"crit with one more":            {replace(crit, `"crit":["b64","sigD","exp2"],"exp2":1`), jose.ErrCritical},
		"crit with a known name":        {replace(crit, `"crit":["b64","sigD","alg"]`), jose.ErrCritical},
		"crit empty":                    {replace(crit, `"crit":[]`), jose.ErrCritical},
		"crit a text":                   {replace(crit, `"crit":"b64"`), jose.ErrCritical},
		"crit of a number":              {replace(crit, `"crit":["b64","sigD",1]`), jose.ErrCritical},
		"crit twice":                    {add(crit), jose.ErrDuplicateMember},
		"b64 true":                      {replace(`"b64":false`, `"b64":true`), jose.ErrCritical},
		"b64 absent":                    {replace(`"b64":false,`, ``), jose.ErrCritical},
		"b64 a text":                    {replace(`"b64":false`, `"b64":"false"`), jose.ErrCritical},
		"b64 null":                      {replace(`"b64":false`, `"b64":null`), jose.ErrCritical},
		"b64 twice":                     {add(`"b64":true`), jose.ErrDuplicateMember},
		"alg none":                      {replace(`"alg":"ES256"`, `"alg":"none"`), jose.ErrAlgorithm},
		"alg HS256":                     {replace(`"alg":"ES256"`, `"alg":"HS256"`), jose.ErrAlgorithm},
		"alg ES384":                     {replace(`"alg":"ES256"`, `"alg":"ES384"`), jose.ErrAlgorithm},
		"typ of a credential":           {replace(`"typ":"jose+json"`, `"typ":"dc+sd-jwt"`), jose.ErrType},
		"typ absent":                    {replace(`"typ":"jose+json",`, ``), jose.ErrType},
		"alg twice":                     {add(`"alg":"ES256"`), jose.ErrDuplicateMember},
		"sigD twice":                    {add(`"sigD":{}`), jose.ErrDuplicateMember},
		"sigD twice, escaped":           {add(`"\u0073igD":{}`), jose.ErrDuplicateMember},
		"sigD a list":                   {replace(`"sigD":{"mId"`, `"sigX":{"mId"`)[:1] + `"sigD":[],` + replace(`"sigD":{"mId"`, `"sigX":{"mId"`)[1:], jose.ErrCritical},
		"mechanism by URI without hash": {replace("/ObjectIdByURIHash", "/ObjectIdByURI"), nil},
		"mechanism of HTTP headers":     {replace("/ObjectIdByURIHash", "/HttpHeaders"), nil},
		"hash method S512":              {replace(`"hashM":"S256"`, `"hashM":"S512"`), nil},
		"hash method in other words":    {replace(`"hashM":"S256"`, `"hashM":"SHA-256"`), nil},
		"hash method absent":            {replace(`"hashM":"S256",`, ``), nil},
		"a second file":                 {replace(`"hashV":["`, `"hashV":["`+sum("other")+`","`), nil},
		"a second name":                 {replace(`"pars":["`, `"pars":["other.pdf","`), nil},
		"a second file and name":        {strings.Replace(replace(`"hashV":["`, `"hashV":["`+sum("other")+`","`), `"pars":["`, `"pars":["other.pdf","`, 1), nil},
		"no file":                       {replace(`"hashV":["`+digest+`"]`, `"hashV":[]`), nil},
		"hashV a text":                  {replace(`"hashV":["`+digest+`"]`, `"hashV":"`+digest+`"`), nil},
		"hash too short":                {replace(digest, digest[:42]), nil},
		"hash padded":                   {replace(digest, digest+"="), nil},
		"hash not canonical":            {replace(digest, digest[:42]+nextInAlphabet(digest[42])), nil},
		"hash in standard base64":       {replace(digest, strings.Repeat("/", 42)+"8"), nil},
		"hash with a line break":        {replace(digest, digest[:10]+`\n`+digest[10:]), nil},
		"more in sigD":                  {replace(`"sigD":{`, `"sigD":{"x":1,`), nil},
		"hashV twice":                   {replace(`"sigD":{`, `"sigD":{"hashV":[],`), jose.ErrDuplicateMember},
		"name of a path":                {replace(`"pars":["`, `"pars":["..%2F`), nil},
		"name not escaped":              {replace(`"pars":["`, `"pars":["%41`), nil},
		"ctys absent":                   {replace(`,"ctys":["pdf"]`, ``), nil},
		"ctys in full":                  {replace(`"ctys":["pdf"]`, `"ctys":["application/pdf"]`), nil},
		"ctys with a parameter":         {replace(`"ctys":["pdf"]`, `"ctys":["pdf; x=y"]`), nil},
		"x5t#S256 absent":               {replace(`"x5t#S256":"`+thumb+`",`, ``), nil},
		"x5t#S256 of another":           {replace(thumb, sum(string(other.chain[0]))), nil},
		"x5t#S256 a list":               {replace(`"x5t#S256":"`+thumb+`"`, `"x5t#S256":["`+thumb+`"]`), nil},
		"x5c absent":                    {replace(`"x5c":`, `"x5d":`), nil},
		"x5c empty":                     {replace(`"x5c":[`, `"x5c":[],"x5d":[`), jose.ErrMalformed},
		"x5c of another first":          {replace(`"x5c":["`, `"x5c":["`+base64.StdEncoding.EncodeToString(other.chain[0])+`","`), nil},
		"x5c with padding lost":         {replace(base64.StdEncoding.EncodeToString(s.chain[0]), strings.TrimRight(base64.StdEncoding.EncodeToString(s.chain[0]), "=")+"A"), nil},
		"iat absent":                    {replace(`"iat":1790000000,`, ``), jose.ErrClaim},
		"iat a text":                    {replace(`"iat":1790000000`, `"iat":"1790000000"`), jose.ErrClaim},
		"iat with a point":              {replace(`"iat":1790000000`, `"iat":1790000000.0`), jose.ErrClaim},
		"iat scientific":                {replace(`"iat":1790000000`, `"iat":1.79e9`), jose.ErrClaim},
		"iat negative":                  {replace(`"iat":1790000000`, `"iat":-1`), jose.ErrClaim},
		"iat beyond all years":          {replace(`"iat":1790000000`, `"iat":9223372036854775807`), jose.ErrClaim},
		"iat twice":                     {add(`"iat":1`), jose.ErrDuplicateMember},
		"sigT beside iat":               {add(`"sigT":"2026-11-26T00:00:00Z"`), nil},
		"a key that it brings":          {add(`"jku":"https://attacker.example/"`), nil},
		"a certificate from elsewhere":  {add(`"x5u":"https://attacker.example/"`), nil},
		"kid":                           {add(`"kid":"x"`), nil},
		"other certificate hashes":      {add(`"sigX5ts":[]`), nil},
		"etsiU protected":               {add(`"etsiU":[]`), nil},
		"cty beside ctys":               {add(`"cty":"text/html"`), nil},
		"no kind":                       {replace(`"commId"`, `"x":1,"commId"`), nil},
		"two kinds":                     {replace(`"srCms":[`, `"srCms":[{"commId":{"id":"`+kind+`"}},`), nil},
		"kind with qualifiers":          {replace(`{"commId":`, `{"commQuals":[{}],"commId":`), nil},
		"kind no URI":                   {replace(kind, "decision"), nil},
		"two seals":                     {replace(`"qVals":["`, `"qVals":["a.b.c~","`), nil},
		"two assertions":                {replace(`"signedAssertions":[`, `"signedAssertions":[{"mediaType":"application/dc+sd-jwt","encoding":"binary","qVals":["a.b.c~"]},`), nil},
		"claimed attributes too":        {replace(`"srAts":{`, `"srAts":{"claimed":[],`), nil},
		"seal of another media type":    {replace(`"application/dc+sd-jwt"`, `"application/jwt"`), nil},
		"seal in another encoding":      {replace(`"binary"`, `"base64"`), nil},
		"seal with a disclosure":        {replace(`.AAAA~"`, `.AAAA~AAAA~"`), nil},
		"not an object":                 {`[]`, jose.ErrMalformed},
		"null":                          {`null`, jose.ErrMalformed},
		"two values":                    {good + `{}`, jose.ErrMalformed},
	} {
		err := accepted(s.raw(t, c.header).bytes(t))
		if !errors.Is(err, ErrMalformed) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, header := range map[string]string{
		"crit in another order":    replace(crit, `"crit":["sigD","b64"]`),
		"a member that is unknown": add(`"hint":{"any":"thing"}`),
		"spaces":                   replace(`"b64":false`, "\"b64\": \n false"),
		"another order of members": add(`"b64":false`)[:len(`{"b64":false,`)] + strings.Replace(good[1:], `"b64":false,`, "", 1),
	} {
		if err := accepted(s.raw(t, header).bytes(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nextInAlphabet is a character whose first four bits of six are the same: another spelling of the same bytes.
func nextInAlphabet(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)+1:][:1]
}

// S08: an empty signature, a missing one, a second one; nothing around the header can add, take away or hide a signature or a payload.
func TestS08WhatIsAroundTheHeaderIsRefused(t *testing.T) {
	s := newStamp(t)
	good := headerOf(t, s)
	r := s.raw(t, good)
	entry := map[string]any{"protected": encode([]byte(good)), "signature": r.signature}
	for name, c := range map[string]struct {
		outer map[string]any
		fine  bool
	}{
		"as it is":                      {nil, true},
		"timestamps of others":          {map[string]any{"header": map[string]any{"etsiU": []any{"AAAA"}}}, true},
		"a payload":                     {map[string]any{"payload": encode([]byte("the file"))}, false},
		"an empty payload":              {map[string]any{"payload": ""}, false},
		"a payload of null":             {map[string]any{"payload": json.RawMessage("null")}, false},
		"no signature":                  {map[string]any{"signature": nil}, false},
		"an empty signature":            {map[string]any{"signature": ""}, false},
		"a signature of null":           {map[string]any{"signature": json.RawMessage("null")}, false},
		"no header":                     {map[string]any{"protected": nil}, false},
		"a second signature":            {map[string]any{"signatures": []any{entry}}, false},
		"general serialization":         {map[string]any{"signatures": []any{entry}, "protected": nil, "signature": nil}, false},
		"general with two":              {map[string]any{"signatures": []any{entry, entry}, "protected": nil, "signature": nil}, false},
		"an unprotected algorithm":      {map[string]any{"header": map[string]any{"alg": "ES256"}}, false},
		"an unprotected seal":           {map[string]any{"header": map[string]any{"etsiU": []any{}, "srAts": map[string]any{}}}, false},
		"an empty unprotected header":   {map[string]any{"header": map[string]any{}}, false},
		"etsiU an object":               {map[string]any{"header": map[string]any{"etsiU": map[string]any{}}}, false},
		"the header a text":             {map[string]any{"header": "e30"}, false},
		"an unknown member":             {map[string]any{"x": 1}, false},
		"a member of another case":      {map[string]any{"Signature": r.signature}, false},
		"the signature padded":          {map[string]any{"signature": r.signature + "=="}, false},
		"the signature not canonical":   {map[string]any{"signature": r.signature[:85] + nextInAlphabet(r.signature[85])}, false},
		"the signature in ASN.1 length": {map[string]any{"signature": r.signature[:80]}, false},
		"the signature twice as long":   {map[string]any{"signature": encode(make([]byte, 128))}, false},
		"the signature zero":            {map[string]any{"signature": encode(make([]byte, 64))}, false},
		"the header padded":             {map[string]any{"protected": encode([]byte(good)) + "="}, false},
		"a line break in the header":    {map[string]any{"protected": encode([]byte(good))[:8] + "\n" + encode([]byte(good))[8:]}, false},
		"a header above the limit":      {map[string]any{"protected": encode(bytes.Repeat([]byte(" "), jose.MaxDetachedHeaderBytes))}, false},
	} {
		v := raw{header: good, signature: r.signature, outer: c.outer}
		if err := accepted(v.bytes(t)); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := string(r.bytes(t))
	for name, text := range map[string]string{
		"protected twice": `{"protected":"e30",` + whole[1:], "signature twice": `{"signature":"AA",` + whole[1:], "two values": whole + whole, "a list": "[" + whole + "]",
		"nothing": "", "null": "null", "a compact token": encode([]byte(good)) + ".." + r.signature, "a byte order mark": "\ufeff" + whole,
	} {
		if err := accepted([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	padded := func(n int) []byte { return append([]byte(whole), bytes.Repeat([]byte(" "), n-len(whole))...) }
	if err := accepted(padded(MaxBytes)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := accepted(padded(MaxBytes + 1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
}

// A byte changed anywhere in the header breaks the signature or the form; the signature of another header doesn't fit.
func TestAChangedByteIsRefused(t *testing.T) {
	s := newStamp(t)
	good := headerOf(t, s)
	r := s.raw(t, good)
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		if err := accepted(raw{header: string(changed), signature: r.signature}.bytes(t)); err == nil {
			t.Fatalf("byte %d of %q", i, good[max(0, i-10):min(len(good), i+10)])
		}
	}
	sig, err := base64.RawURLEncoding.DecodeString(r.signature)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sig {
		sig[i] ^= 1
		if err := accepted(raw{header: good, signature: encode(sig)}.bytes(t)); !errors.Is(err, ErrSignature) {
			t.Fatalf("byte %d of the signature: %v", i, err)
		}
		sig[i] ^= 1
	}
}

// The same bytes are no token, and a token is no seal: a signature made for one purpose doesn't count for another.
func TestASealedFileIsNoToken(t *testing.T) {
	s := newStamp(t)
	good := headerOf(t, s)
	r := s.raw(t, good)
	for _, crit := range [][]string{nil, {"b64", "sigD"}, {"sigD"}} {
		_, err := jose.ParseUnverified(encode([]byte(good))+".."+r.signature, jose.Policy{Typ: []string{"", "jose+json"}, Algs: []jose.Alg{jose.ES256}, Crit: crit})
		if !errors.Is(err, jose.ErrCritical) {
			t.Errorf("crit %v: %v", crit, err)
		}
	}
	token, err := jose.Sign(s.key, jose.Header{Typ: jose.DetachedType, X5C: s.chain}, nil)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	b, err := json.Marshal(flattened{Protected: parts[0], Signature: parts[2]})
	if err != nil {
		t.Fatal(err)
	}
	if err := accepted(b); !errors.Is(err, jose.ErrCritical) {
		t.Errorf("a token as a seal: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	s := newStamp(f)
	f.Add(s.seal(f, s.template()), false)
	f.Add(raw{header: headerOf(f, s), signature: "AA", outer: map[string]any{"header": map[string]any{"etsiU": []any{"AAAA"}}}}.bytes(f), false)
	f.Add([]byte(`{"protected":"e30","signature":"AA"}`), false)
	f.Add([]byte(headerOf(f, s)), true)
	short := s.template()
	short.Chain = [][]byte{{1}, {2, 3}}
	header, err := LayOut(short)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(header, true)
	f.Fuzz(func(t *testing.T, b []byte, headerOnly bool) {
		if headerOnly { // the fuzzer doesn't see through base64
			b = raw{header: string(b), signature: encode(make([]byte, 64))}.bytes(t)
		}
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
				t.Error(err)
			}
			if p.protected != nil || p.seal != "" {
				t.Error("an error and a signature")
			}
			return
		}
		// What was read, laid out again, is read the same.
		again, err := LayOut(Template{Document: p.Document(), Seal: p.Seal(), KindURI: p.KindURI(), IssuedAt: p.IssuedAt(), Chain: p.X5C()})
		if errors.Is(err, ErrTemplate) && (p.Document().SHA256 == [32]byte{} || p.IssuedAt().Unix() == 0) {
			return // form allows what nobody lays out
		}
		if err != nil {
			t.Fatal(err)
		}
		forged, err := json.Marshal(flattened{Protected: encode(again), Signature: encode(make([]byte, 64))})
		if err != nil {
			t.Fatal(err)
		}
		q, err := Parse(forged)
		if err != nil || q.Document() != p.Document() || q.Seal() != p.Seal() || q.KindURI() != p.KindURI() || !q.IssuedAt().Equal(p.IssuedAt()) {
			t.Errorf("%+v became %+v, %v", p, q, err)
		}
	})
}
