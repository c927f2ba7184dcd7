package mdoc

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

// forgery is a document on its way, that a test may change where an issuer wouldn't: before it is signed.
type forgery struct {
	mso    wireMSO
	items  []wireItem              // of the mDL's namespace
	inner  func(mso []byte) []byte // changes the encoded MSO
	header cwt.Header
	tagged bool
	after  func(*wireIssuerSigned) // changes what was signed
	rehash bool                    // digests follow the items
}

func (w world) forge(t testing.TB, change func(*forgery)) []byte {
	t.Helper()
	laid, err := Build(w.template)
	must(t, err)
	f := forgery{header: cwt.Header{X5Chain: [][]byte{w.leaf}}, rehash: true}
	raw, err := cwt.ParseEncoded(laid.MSO)
	must(t, err)
	must(t, cwt.Unmarshal(raw, &f.mso))
	var spaces map[string][]cwt.Raw
	must(t, cwt.Unmarshal(laid.NameSpaces, &spaces))
	for _, tagged := range spaces[MDLNameSpace] {
		item, err := parseItem(tagged)
		must(t, err)
		f.items = append(f.items, item)
	}
	change(&f)
	spaces[MDLNameSpace] = nil
	for _, item := range f.items {
		inner, err := cwt.Marshal(item)
		must(t, err)
		tagged, err := cwt.Encoded(inner)
		must(t, err)
		spaces[MDLNameSpace] = append(spaces[MDLNameSpace], tagged)
		if f.rehash {
			sum := sha256.Sum256(tagged)
			f.mso.ValueDigests[MDLNameSpace][item.DigestID] = sum[:]
		}
	}
	mso, err := cwt.Marshal(f.mso)
	must(t, err)
	if f.inner != nil {
		mso = f.inner(mso)
	}
	payload, err := cwt.Encoded(mso)
	must(t, err)
	auth, err := cwt.Sign(w.issuer, f.header, cwt.Form{Tagged: f.tagged}, payload)
	must(t, err)
	out := wireIssuerSigned{NameSpaces: spaces, IssuerAuth: auth}
	if f.after != nil {
		f.after(&out)
	}
	b, err := cwt.Marshal(out)
	must(t, err)
	return b
}

// addPair appends a pair to an encoded map of fewer than 23.
func addPair(m []byte, key string, value any) []byte {
	k, _ := cwt.Marshal(key)
	v, _ := cwt.Marshal(value)
	return append(append(append([]byte{m[0] + 1}, m[1:]...), k...), v...)
}

func deep(n int) cwt.Raw { return append(bytes.Repeat([]byte{0x81}, n), 0x00) }

// Q16: everything about a document that shows before a key is needed. The twin is the same forgery with nothing changed.
func TestQ16Parse(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*forgery)
		want   error
	}{
		"twin":                          {func(*forgery) {}, nil},
		"twin: element left out":        {func(f *forgery) { f.items = f.items[1:] }, nil},
		"twin: random of 16 bytes":      {func(f *forgery) { f.items[0].Random = f.items[0].Random[:16] }, nil},
		"twin: unknown member":          {func(f *forgery) { f.inner = func(m []byte) []byte { return addPair(m, "future", 1) } }, nil},
		"value changed after digesting": {func(f *forgery) { f.rehash = false; f.items[0].Value = cwt.Raw{0xf5} }, ErrDigest},
		"random changed":                {func(f *forgery) { f.rehash = false; f.items[0].Random[0] ^= 1 }, ErrDigest},
		"element renamed":               {func(f *forgery) { f.rehash = false; f.items[0].ID = "age_over_21" }, ErrDigest},
		"no digest for it":              {func(f *forgery) { f.rehash = false; f.items[0].DigestID = 4000 }, ErrDigest},
		"another element's digest id":   {func(f *forgery) { f.rehash = false; f.items[0].DigestID = f.items[1].DigestID; f.items = f.items[:1] }, ErrDigest},
		"random of 15 bytes":            {func(f *forgery) { f.items[0].Random = f.items[0].Random[:15] }, ErrRandom},
		"element twice": {func(f *forgery) {
			e := f.items[0]
			e.DigestID = 4000
			f.items = append(f.items, e)
		}, ErrDuplicate},
		"digest id twice":   {func(f *forgery) { f.items = append(f.items, f.items[0]); f.items[len(f.items)-1].ID = "other" }, ErrDigest},
		"no x5chain":        {func(f *forgery) { f.header.X5Chain = nil }, ErrNoChain},
		"tagged COSE_Sign1": {func(f *forgery) { f.tagged = true }, cwt.ErrMalformed},
		"issuerAuth null":   {func(f *forgery) { f.after = func(s *wireIssuerSigned) { s.IssuerAuth = cwt.Raw{0xf6} } }, cwt.ErrMalformed},
		"payload null": {func(f *forgery) {
			f.after = func(s *wireIssuerSigned) { s.IssuerAuth = cwt.Raw{0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0, 0xf6, 0x40} }
		}, cwt.ErrPayload},
		"MSO with a key twice":         {func(f *forgery) { f.inner = func(m []byte) []byte { return addPair(m, "docType", MDL) } }, ErrMalformed},
		"MSO nested too deep":          {func(f *forgery) { f.inner = func(m []byte) []byte { return addPair(m, "future", deep(40)) } }, cwt.ErrTooLarge},
		"MSO with bytes after the end": {func(f *forgery) { f.inner = func(m []byte) []byte { return append(m, 0) } }, ErrMalformed},
		"MSO of indefinite length": {func(f *forgery) {
			f.inner = func(m []byte) []byte { return append(append([]byte{0xbf}, m[1:]...), 0xff) }
		}, ErrMalformed},
		"value nested too deep":  {func(f *forgery) { f.items[0].Value = deep(40) }, cwt.ErrTooLarge},
		"value with a key twice": {func(f *forgery) { f.items[0].Value = cwt.Raw{0xa2, 0x61, 'a', 1, 0x61, 'a', 2} }, ErrMalformed},
		"value not a number":     {func(f *forgery) { f.items[0].Value = cwt.Raw{0xf9, 0x7e, 0x00} }, ErrMalformed},
		"value not UTF-8":        {func(f *forgery) { f.items[0].Value = cwt.Raw{0x61, 0xff} }, ErrMalformed},
		"date of month 13": {func(f *forgery) {
			f.items[0].Value, _ = cwt.MarshalTag(cwt.TagFullDate, "2026-13-01")
		}, ErrMalformed},
		"MSO version 2":          {func(f *forgery) { f.mso.Version = "2.0" }, ErrMalformed},
		"digest algorithm MD5":   {func(f *forgery) { f.mso.DigestAlgorithm = "MD5" }, ErrMalformed},
		"signed after validFrom": {func(f *forgery) { f.mso.ValidityInfo.Signed = f.mso.ValidityInfo.ValidUntil }, ErrValidity},
		"validUntil = validFrom": {func(f *forgery) { f.mso.ValidityInfo.ValidUntil = f.mso.ValidityInfo.ValidFrom }, ErrValidity},
		"untagged date":          {func(f *forgery) { f.mso.ValidityInfo.Signed, _ = cwt.Marshal("2026-11-26T00:00:00Z") }, ErrMalformed},
		"no validUntil":          {func(f *forgery) { f.mso.ValidityInfo.ValidUntil = cwt.Raw{0xf6} }, ErrMalformed},
		"status without uri":     {func(f *forgery) { f.mso.Status.List.URI = nil }, ErrMalformed},
		"status index negative":  {func(f *forgery) { n := int64(-1); f.mso.Status.List.Index = &n }, ErrMalformed},
		"device key off curve": {func(f *forgery) {
			k := bytes.Clone(f.mso.DeviceKeyInfo.DeviceKey)
			k[len(k)-1] ^= 1
			f.mso.DeviceKeyInfo.DeviceKey = k
		}, jose.ErrInvalidKey},
		"device key private": {func(f *forgery) {
			f.mso.DeviceKeyInfo.DeviceKey, _ = cwt.Marshal(map[int]any{1: 2, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32), -4: make([]byte, 32)})
		}, cwt.ErrPrivateKey},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.forge(t, c.change)
			p, err := ParseIssuerSigned(b)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil {
				if _, err := p.Verify(w.key(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestQ16Junk(t *testing.T) {
	w := newWorld(t)
	good := w.issue(t, nil)
	if _, err := ParseIssuerSigned(good); err != nil {
		t.Fatal("twin:", err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "null": {0xf6}, "empty map": {0xa0}, "number": {0x00}, "text": []byte("\x64null"), "truncated": good[:len(good)-1],
		"one byte more": append(bytes.Clone(good), 0), "an array of 2^40": {0x9b, 0, 0, 1, 0, 0, 0, 0, 0}, "2^20 arrays deep": bytes.Repeat([]byte{0x81}, MaxBytes-1),
	} {
		if _, err := ParseIssuerSigned(b); err == nil {
			t.Errorf("%s: read as IssuerSigned", name)
		}
		if _, err := ParseDeviceResponse(b); err == nil {
			t.Errorf("%s: read as DeviceResponse", name)
		}
	}
	if _, err := ParseIssuerSigned(make([]byte, MaxBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

// Q16: what only the issuer's key shows.
func TestQ16Signature(t *testing.T) {
	w := newWorld(t)
	other, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	stranger, err := other.Public()
	must(t, err)
	p384, err := jose.GenerateKey(jose.ES384)
	must(t, err)
	wide, err := p384.Public()
	must(t, err)
	good, err := ParseIssuerSigned(w.issue(t, nil))
	must(t, err)
	if _, err := good.Verify(w.key(t)); err != nil {
		t.Fatal("twin:", err)
	}
	for name, keys := range map[string][]jose.JWK{"another key": {stranger}, "no key": {}, "zero key": {{}}, "key of another curve": {wide}} {
		if _, err := good.Verify(keys...); !errors.Is(err, jose.ErrSignature) && !errors.Is(err, jose.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The header says ES384, the signature is a P-256 one: the algorithm is bound to the curve.
	swapped := w.forge(t, func(f *forgery) {
		f.after = func(s *wireIssuerSigned) {
			s.IssuerAuth = bytes.Replace(s.IssuerAuth, []byte{0x43, 0xa1, 0x01, 0x26}, []byte{0x44, 0xa1, 0x01, 0x38, 0x22}, 1)
		}
	})
	p, err := ParseIssuerSigned(swapped)
	must(t, err)
	if _, err := p.Verify(w.key(t)); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("algorithm of another curve: %v", err)
	}
	// One bit of the MSO, outside the digests.
	tampered := w.forge(t, func(f *forgery) {
		f.after = func(s *wireIssuerSigned) {
			s.IssuerAuth = bytes.Replace(s.IssuerAuth, []byte("2027-02-26"), []byte("2037-02-26"), 1)
		}
	})
	p, err = ParseIssuerSigned(tampered)
	must(t, err)
	if _, err := p.Verify(w.key(t)); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("prolonged: %v", err)
	}
}

// shown is a DeviceResponse that a test may change.
func (w world) shown(t testing.TB, transcript Transcript, change func(*wireResponse)) []byte {
	t.Helper()
	p, err := ParseIssuerSigned(w.issue(t, nil))
	must(t, err)
	b, err := p.Present(w.device, transcript, Show{MDLNameSpace, []string{"age_over_18"}})
	must(t, err)
	var r wireResponse
	must(t, cwt.Unmarshal(b, &r))
	if change != nil {
		change(&r)
	}
	b, err = cwt.Marshal(r)
	must(t, err)
	return b
}

// Q16: device authentication.
func TestQ16Device(t *testing.T) {
	w := newWorld(t)
	asked, err := Challenge("nonce-1", "https://counter.example")
	must(t, err)
	transcript := func(nonce, audience string) Transcript {
		out, err := Challenge(nonce, audience)
		must(t, err)
		return out
	}
	thief, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	resign := func(key jose.SigningKey, docType string, own map[string]any) func(*wireResponse) {
		return func(r *wireResponse) {
			inner, err := cwt.Marshal(own)
			must(t, err)
			d := &r.Documents[0].DeviceSigned
			d.NameSpaces, err = cwt.Encoded(inner)
			must(t, err)
			payload, err := deviceAuthentication(asked, docType, d.NameSpaces)
			must(t, err)
			sig, err := cwt.Sign(key, cwt.Header{}, cwt.Form{Detached: true}, payload)
			must(t, err)
			d.DeviceAuth = map[string]cwt.Raw{"deviceSignature": sig}
		}
	}
	mac := map[string]cwt.Raw{"deviceMac": {0x84, 0x43, 0xa1, 0x01, 0x05, 0xa0, 0xf6, 0x41, 0x00}}
	for name, c := range map[string]struct {
		at     Transcript
		change func(*wireResponse)
		parse  error // of ParseDeviceResponse
		auth   error // of DeviceAuth
	}{
		"twin":                       {asked, nil, nil, nil},
		"twin: signed again":         {asked, resign(w.device, MDL, map[string]any{}), nil, nil},
		"another nonce":              {transcript("nonce-2", "https://counter.example"), nil, nil, ErrDeviceAuth},
		"another audience":           {transcript("nonce-1", "https://thief.example"), nil, nil, ErrDeviceAuth},
		"nonce and audience swapped": {transcript("https://counter.example", "nonce-1"), nil, nil, ErrDeviceAuth},
		"no transcript":              {nil, nil, nil, ErrDeviceAuth},
		"another key":                {asked, resign(thief, MDL, map[string]any{}), nil, ErrDeviceAuth},
		"signed for another docType": {asked, resign(w.device, "org.example.other", map[string]any{}), nil, ErrDeviceAuth},
		"device-signed element that isn't authorised": {asked, resign(w.device, MDL, map[string]any{MDLNameSpace: map[string]any{"age_over_21": true}}), nil, ErrKeyAuthorization},
		"device namespaces swapped afterwards": {asked, func(r *wireResponse) {
			inner, _ := cwt.Marshal(map[string]any{MDLNameSpace: map[string]any{"age_over_21": true}})
			r.Documents[0].DeviceSigned.NameSpaces, _ = cwt.Encoded(inner)
		}, nil, ErrDeviceAuth},
		"docType differs":     {asked, func(r *wireResponse) { r.Documents[0].DocType = "org.example.other" }, ErrDocType, nil},
		"deviceSigned absent": {asked, func(r *wireResponse) { r.Documents[0].DeviceSigned = wireDeviceSigned{} }, ErrMalformed, nil},
		"deviceAuth empty":    {asked, func(r *wireResponse) { r.Documents[0].DeviceSigned.DeviceAuth = nil }, ErrMalformed, nil},
		"deviceAuth null":     {asked, func(r *wireResponse) { r.Documents[0].DeviceSigned.DeviceAuth["deviceSignature"] = cwt.Raw{0xf6} }, ErrMalformed, nil},
		"signature and MAC":   {asked, func(r *wireResponse) { r.Documents[0].DeviceSigned.DeviceAuth["deviceMac"] = mac["deviceMac"] }, ErrMalformed, nil},
		"MAC instead":         {asked, func(r *wireResponse) { r.Documents[0].DeviceSigned.DeviceAuth = mac }, nil, ErrDeviceMAC},
		"error status":        {asked, func(r *wireResponse) { *r.Status = 10 }, ErrMalformed, nil},
		"no documents":        {asked, func(r *wireResponse) { r.Documents = nil }, ErrMalformed, nil},
		"version 2":           {asked, func(r *wireResponse) { r.Version = "2.0" }, ErrMalformed, nil},
		"seventeen documents": {asked, func(r *wireResponse) { r.Documents = append(make([]wireDocument, 16), r.Documents...) }, ErrTooLarge, nil},
		"element of elsewhere": {asked, func(r *wireResponse) {
			r.Documents[0].IssuerSigned.NameSpaces["org.example"] = r.Documents[0].IssuerSigned.NameSpaces[MDLNameSpace]
		}, ErrDigest, nil},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := ParseDeviceResponse(w.shown(t, asked, c.change))
			if !errors.Is(err, c.parse) {
				t.Fatalf("parse: %v, want %v", err, c.parse)
			}
			if err != nil {
				return
			}
			v, err := docs[0].Verify(w.key(t))
			must(t, err)
			if err := v.DeviceAuth(c.at); !errors.Is(err, c.auth) {
				t.Errorf("%v, want %v", err, c.auth)
			}
		})
	}
}

// A device may sign elements of its own where the issuer said so.
func TestKeyAuthorizations(t *testing.T) {
	w := newWorld(t)
	asked, err := Challenge("n", "a")
	must(t, err)
	own, err := cwt.Marshal(map[string]any{"org.example": map[string]any{"note": "x"}})
	must(t, err)
	for name, c := range map[string]struct {
		may  *wireKey
		want error
	}{
		"twin: namespace":   {&wireKey{NameSpaces: []string{"org.example"}}, nil},
		"twin: element":     {&wireKey{DataElements: map[string][]string{"org.example": {"note"}}}, nil},
		"another namespace": {&wireKey{NameSpaces: []string{"org.other"}}, ErrKeyAuthorization},
		"another element":   {&wireKey{DataElements: map[string][]string{"org.example": {"other"}}}, ErrKeyAuthorization},
		"none":              {nil, ErrKeyAuthorization},
	} {
		p, err := ParseIssuerSigned(w.forge(t, func(f *forgery) { f.mso.DeviceKeyInfo.KeyAuthorizations = c.may }))
		must(t, err)
		tagged, err := cwt.Encoded(own)
		must(t, err)
		payload, err := deviceAuthentication(asked, MDL, tagged)
		must(t, err)
		sig, err := cwt.Sign(w.device, cwt.Header{}, cwt.Form{Detached: true}, payload)
		must(t, err)
		p.device, err = parseDeviceSigned(wireDeviceSigned{NameSpaces: tagged, DeviceAuth: map[string]cwt.Raw{"deviceSignature": sig}})
		must(t, err)
		v, err := p.Verify(w.key(t))
		must(t, err)
		if err := v.DeviceAuth(asked); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
