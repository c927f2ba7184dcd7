package linkable

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/signing/cwt"
	"github.com/hufu-id/hufu/signing/mdoc"
)

// digest is that of a disclosure, as base64url (RFC 9901 section 4.2.3).
func digest(alg any, disclosure string) string {
	var sum []byte
	switch alg {
	case "sha-384":
		s := sha512.Sum384([]byte(disclosure))
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512([]byte(disclosure))
		sum = s[:]
	default:
		s := sha256.Sum256([]byte(disclosure))
		sum = s[:]
	}
	return strictjson.Base64.EncodeToString(sum)
}

type wireSigned struct {
	NameSpaces map[string][]cwt.Raw `cbor:"nameSpaces"`
	IssuerAuth cwt.Raw              `cbor:"issuerAuth"`
}

type wireItem struct {
	DigestID uint32 `cbor:"digestID"`
	Random   []byte `cbor:"random"`
	ID       string `cbor:"elementIdentifier"`
}

type wireMSO struct {
	Digests map[string]map[uint32][]byte `cbor:"valueDigests"`
	Key     struct {
		DeviceKey map[int64]cwt.Raw `cbor:"deviceKey"`
	} `cbor:"deviceKeyInfo"`
	Validity map[string]cwt.Raw `cbor:"validityInfo"`
}

// wholeTime reads a tdate, -1 for one with fractions of a second.
func wholeTime(raw cwt.Raw) int64 {
	var text string
	if _, content, err := cwt.ParseTag(raw); err != nil || cwt.Unmarshal(content, &text) != nil {
		return -1
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Nanosecond() != 0 {
		return -1
	}
	return at.Unix()
}

// Labels of COSE headers (RFC 9052, RFC 9360) that all credentials of an issuer share, and members of a COSE_Key that are the key.
var (
	coseCommon = []int64{1, 4, 16, 33, 34}
	coseKey    = []int64{1, -1, -2, -3}
)

func readMDoc(b []byte) (traits, error) {
	if raw, err := strictjson.DecodeBase64(string(b)); err == nil {
		b = raw
	}
	p, err := mdoc.ParseIssuerSigned(b)
	if err != nil {
		return traits{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	chain := p.X5Chain()
	issuer := sha256.Sum256(chain[len(chain)-1])
	t := traits{format: "mso_mdoc", kind: p.DocType() + " of certificate " + hex.EncodeToString(issuer[:8]), header: map[string]string{}, labels: map[string]string{},
		start: start(chain[0]), times: map[string]int64{}, shown: map[string]string{}, all: map[string]string{}}
	if s, ok := p.UnverifiedStatus(); ok {
		t.status = &statusRef{s.URI, s.Index}
	}
	for space, elements := range p.UnverifiedElements() {
		for id, v := range elements {
			t.all[space+" "+id] = fmt.Sprintf("%#v", v)
		}
	}
	return t, t.wire(b, p.MSO())
}

// wire reads what mdoc.Parsed doesn't tell: randoms, digest ids, headers.
func (t *traits) wire(b, encoded []byte) error {
	var w wireSigned
	var mso wireMSO
	inner, err := cwt.ParseEncoded(encoded)
	if err == nil {
		err = cwt.Unmarshal(inner, &mso)
	}
	if err == nil {
		err = cwt.Unmarshal(b, &w)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	t.size = int64(len(w.IssuerAuth))
	for name, raw := range mso.Validity {
		t.times[name] = wholeTime(raw)
	}
	for _, space := range slices.Sorted(maps.Keys(mso.Digests)) {
		for _, d := range mso.Digests[space] {
			t.digests = append(t.digests, hex.EncodeToString(d))
		}
	}
	slices.Sort(t.digests)
	if err := t.items(w.NameSpaces); err != nil {
		return err
	}
	key := map[int64]cwt.Raw{}
	for label, v := range mso.Key.DeviceKey {
		if slices.Contains(coseKey, label) {
			key[label] = v
			continue
		}
		t.labels[fmt.Sprint("COSE_Key ", label)] = hex.EncodeToString(v)
	}
	raw, err := cwt.Marshal(key)
	t.key = hex.EncodeToString(raw)
	if err != nil {
		return err
	}
	return t.signed(w.IssuerAuth)
}

// items reads the randoms, and the names of each namespace in the order of their digest ids.
func (t *traits) items(spaces map[string][]cwt.Raw) error {
	for _, space := range slices.Sorted(maps.Keys(spaces)) {
		var items []wireItem
		for _, raw := range spaces[space] {
			inner, err := cwt.ParseEncoded(raw)
			var i wireItem
			if err == nil {
				err = cwt.Unmarshal(inner, &i)
			}
			if err != nil {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			t.salts = append(t.salts, i.Random)
			items = append(items, i)
		}
		slices.SortFunc(items, func(a, b wireItem) int { return cmp.Compare(a.DigestID, b.DigestID) })
		for _, i := range items {
			t.places = append(t.places, space+" "+i.ID)
		}
	}
	return nil
}

// signed reads the headers and the signature of a COSE_Sign1 (RFC 9052 section 4.2).
func (t *traits) signed(raw cwt.Raw) error {
	if _, content, err := cwt.ParseTag(raw); err == nil {
		raw = content
	}
	var parts []cwt.Raw
	if err := cwt.Unmarshal(raw, &parts); err != nil || len(parts) != 4 {
		return fmt.Errorf("%w: issuerAuth", ErrMalformed)
	}
	var protected, signature []byte
	if err := cwt.Unmarshal(parts[0], &protected); err != nil {
		return fmt.Errorf("%w: issuerAuth", ErrMalformed)
	}
	for _, header := range [][]byte{protected, parts[1]} {
		var m map[int64]cwt.Raw
		if err := cwt.Unmarshal(header, &m); err != nil {
			return fmt.Errorf("%w: header of issuerAuth", ErrMalformed)
		}
		for label, v := range m {
			if !slices.Contains(coseCommon, label) {
				t.header[fmt.Sprint("COSE ", label)] = hex.EncodeToString(v)
			}
		}
	}
	if err := cwt.Unmarshal(parts[3], &signature); err != nil {
		return fmt.Errorf("%w: signature", ErrMalformed)
	}
	t.sign = string(signature[:len(signature)/2])
	return nil
}
