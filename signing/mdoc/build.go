package mdoc

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

// Element is one data element of a namespace. Value is a string, bool, int, int64, []byte, FullDate, TDate, or a []any or
// map[string]any of those.
type Element struct {
	ID    string
	Value any
}

// NameSpace is a namespace with its elements, in the order in which they are written.
type NameSpace struct {
	Name     string
	Elements []Element
}

// StatusRef says where the credential's status stands (Token Status List, section 6.3).
type StatusRef struct {
	URI   string
	Index int64
}

// Template is what an issuer wants to say.
type Template struct {
	DocType    string
	NameSpaces []NameSpace
	// DeviceKey is the holder's key: P-256, P-384 or Ed25519.
	DeviceKey jose.JWK
	// Signed, ValidFrom and ValidUntil are cut to whole seconds; Signed <= ValidFrom < ValidUntil.
	Signed, ValidFrom, ValidUntil time.Time
	Status                        *StatusRef // nil leaves it out
	// Random gives 32 bytes per element and 8 for each digest id: crypto/rand.Reader, except in tests of vectors.
	Random io.Reader
}

// Laid is an mdoc laid out and ready to be signed: recorded first, then signed.
type Laid struct {
	// MSO is the payload to sign: #6.24(bstr .cbor MobileSecurityObject).
	MSO []byte
	// NameSpaces is the encoded IssuerNameSpaces: a map of namespaces to arrays of #6.24(bstr .cbor IssuerSignedItem).
	NameSpaces []byte
}

type wireItem struct {
	DigestID uint32  `cbor:"digestID"`
	Random   []byte  `cbor:"random"`
	ID       string  `cbor:"elementIdentifier"`
	Value    cwt.Raw `cbor:"elementValue"`
}

type wireMSO struct {
	Version         string                       `cbor:"version"`
	DigestAlgorithm string                       `cbor:"digestAlgorithm"`
	ValueDigests    map[string]map[uint32][]byte `cbor:"valueDigests"`
	DeviceKeyInfo   wireDeviceKey                `cbor:"deviceKeyInfo"`
	DocType         string                       `cbor:"docType"`
	ValidityInfo    wireValidity                 `cbor:"validityInfo"`
	Status          *wireStatus                  `cbor:"status,omitempty"`
}

type wireDeviceKey struct {
	DeviceKey         cwt.Raw  `cbor:"deviceKey"`
	KeyAuthorizations *wireKey `cbor:"keyAuthorizations,omitempty"`
}

type wireKey struct {
	NameSpaces   []string            `cbor:"nameSpaces,omitempty"`
	DataElements map[string][]string `cbor:"dataElements,omitempty"`
}

type wireValidity struct {
	Signed     cwt.Raw `cbor:"signed"`
	ValidFrom  cwt.Raw `cbor:"validFrom"`
	ValidUntil cwt.Raw `cbor:"validUntil"`
}

type wireStatus struct {
	List *wireStatusRef `cbor:"status_list,omitempty"`
}

type wireStatusRef struct {
	Index *int64  `cbor:"idx"`
	URI   *string `cbor:"uri"`
}

// Build lays out an mdoc: draws randoms and digest ids, digests every element, and returns MSO and namespaces. The digest ids of a namespace
// are shuffled, so that they don't say which elements stayed with the holder. Errors: ErrTemplate, or what Random reports.
func Build(t Template) (Laid, error) {
	if t.DocType == "" || len(t.NameSpaces) == 0 || t.Random == nil {
		return Laid{}, fmt.Errorf("%w: docType, namespaces and randomness are needed", ErrTemplate)
	}
	key, err := cwt.MarshalKey(t.DeviceKey)
	if err != nil {
		return Laid{}, fmt.Errorf("%w: device key: %w", ErrTemplate, err)
	}
	mso := wireMSO{Version: "1.0", DigestAlgorithm: "SHA-256", ValueDigests: map[string]map[uint32][]byte{}, DeviceKeyInfo: wireDeviceKey{DeviceKey: key}, DocType: t.DocType}
	if mso.ValidityInfo, err = validity(t); err != nil {
		return Laid{}, err
	}
	if t.Status != nil {
		if t.Status.URI == "" || t.Status.Index < 0 {
			return Laid{}, fmt.Errorf("%w: status", ErrTemplate)
		}
		mso.Status = &wireStatus{List: &wireStatusRef{Index: &t.Status.Index, URI: &t.Status.URI}}
	}
	spaces := make(map[string][]cwt.Raw, len(t.NameSpaces))
	for _, ns := range t.NameSpaces {
		if _, there := spaces[ns.Name]; there || ns.Name == "" || len(ns.Elements) == 0 || len(ns.Elements) > MaxElements {
			return Laid{}, fmt.Errorf("%w: namespace %q", ErrTemplate, ns.Name)
		}
		if spaces[ns.Name], mso.ValueDigests[ns.Name], err = layOut(ns, t.Random); err != nil {
			return Laid{}, err
		}
	}
	var l Laid
	if l.NameSpaces, err = cwt.Marshal(spaces); err != nil {
		return Laid{}, err
	}
	inner, err := cwt.Marshal(mso)
	if err != nil {
		return Laid{}, err
	}
	l.MSO, err = cwt.Encoded(inner)
	return l, err
}

func validity(t Template) (w wireValidity, err error) {
	signed, from, until := t.Signed.Truncate(time.Second), t.ValidFrom.Truncate(time.Second), t.ValidUntil.Truncate(time.Second)
	if t.Signed.IsZero() || from.Before(signed) || !until.After(from) {
		return w, fmt.Errorf("%w: signed <= validFrom < validUntil doesn't hold", ErrTemplate)
	}
	for _, f := range []struct {
		to *cwt.Raw
		at time.Time
	}{{&w.Signed, signed}, {&w.ValidFrom, from}, {&w.ValidUntil, until}} {
		if *f.to, err = TDateOf(f.at).MarshalCBOR(); err != nil {
			return w, err
		}
	}
	return w, nil
}

// layOut encodes the elements of one namespace and digests them.
func layOut(ns NameSpace, random io.Reader) ([]cwt.Raw, map[uint32][]byte, error) {
	ids, err := shuffled(len(ns.Elements), random)
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[string]bool, len(ns.Elements))
	items, digests := make([]cwt.Raw, 0, len(ids)), make(map[uint32][]byte, len(ids))
	for i, e := range ns.Elements {
		if e.ID == "" || seen[e.ID] {
			return nil, nil, fmt.Errorf("%w: element %q of %q is empty or comes twice", ErrTemplate, e.ID, ns.Name)
		}
		seen[e.ID] = true
		if err := checkValue(e.Value, 0); err != nil {
			return nil, nil, fmt.Errorf("element %q: %w", e.ID, err)
		}
		value, err := cwt.Marshal(e.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: element %q: %w", ErrTemplate, e.ID, err)
		}
		item := wireItem{DigestID: ids[i], Random: make([]byte, randomBytes), ID: e.ID, Value: value}
		if _, err := io.ReadFull(random, item.Random); err != nil {
			return nil, nil, err
		}
		inner, err := cwt.Marshal(item)
		if err != nil {
			return nil, nil, err
		}
		tagged, err := cwt.Encoded(inner)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(tagged)
		items, digests[ids[i]] = append(items, tagged), sum[:]
	}
	return items, digests, nil
}

// shuffled returns the numbers below n in random order (Fisher and Yates). 64 random bits for a choice among at most
// MaxElements leave a bias that nobody can measure.
func shuffled(n int, random io.Reader) ([]uint32, error) {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	var b [8]byte
	for i := n - 1; i > 0; i-- {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, err
		}
		j := int(binary.BigEndian.Uint64(b[:]) % uint64(i+1))
		ids[i], ids[j] = ids[j], ids[i]
	}
	return ids, nil
}

// Issue signs what Build laid out and returns IssuerSigned, encoded. In OpenID4VCI the credential is its base64url (appendix A.2.4). x5chain
// is the document signer's certificate (and intermediates), never the root.
func Issue(key jose.SigningKey, x5chain [][]byte, l Laid) ([]byte, error) {
	auth, err := cwt.Sign(key, cwt.Header{X5Chain: x5chain}, cwt.Form{}, l.MSO)
	if err != nil {
		return nil, err
	}
	return cwt.Marshal(map[string]cwt.Raw{"nameSpaces": l.NameSpaces, "issuerAuth": auth})
}
