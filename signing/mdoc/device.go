package mdoc

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

// Transcript is an encoded SessionTranscript: what a device authenticates, so that an answer to one verifier is worth
// nothing at another (ISO/IEC 18013-5 section 9.1.5.1).
type Transcript []byte

// OpenID4VP makes the transcript of a presentation over redirects (OpenID4VP 1.0, appendix B.2.6.1). encryptionKey is
// the SHA-256 thumbprint (RFC 7638) of the key that the response was encrypted to, nil when it wasn't.
//
// For a challenge that the verifier tells the holder without OpenID4VP (`hufu verify --nonce --audience`, the counter), the same transcript is
// made with the audience as clientID and as responseURI, and without a key: see [Challenge].
func OpenID4VP(clientID, nonce string, encryptionKey []byte, responseURI string) (Transcript, error) {
	info := []any{clientID, nonce, nil, responseURI}
	if encryptionKey != nil {
		info[2] = encryptionKey
	}
	return handover("OpenID4VPHandover", info)
}

// OpenID4VPDCAPI makes the transcript of a presentation over the Digital Credentials API (OpenID4VP 1.0, appendix
// B.2.6.2). origin is without the prefix "origin:".
func OpenID4VPDCAPI(origin, nonce string, encryptionKey []byte) (Transcript, error) {
	info := []any{origin, nonce, nil}
	if encryptionKey != nil {
		info[2] = encryptionKey
	}
	return handover("OpenID4VPDCAPIHandover", info)
}

// Challenge makes the transcript of a challenge of nonce and audience, as a key binding JWT answers one in SD-JWT:
// OpenID4VP with client_id = response_uri = audience and an answer that isn't encrypted.
func Challenge(nonce, audience string) (Transcript, error) {
	return OpenID4VP(audience, nonce, nil, audience)
}

func handover(name string, info []any) (Transcript, error) {
	b, err := cwt.Marshal(info)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return cwt.Marshal([]any{nil, nil, []any{name, sum[:]}})
}

// deviceSigned is DeviceSigned as received.
type deviceSigned struct {
	nameSpaces cwt.Raw // #6.24
	elements   map[string]map[string]cwt.Raw
	signature  *cwt.Unverified // nil when the device used a MAC
}

type wireResponse struct {
	Version   string         `cbor:"version"`
	Documents []wireDocument `cbor:"documents"`
	Errors    cwt.Raw        `cbor:"documentErrors,omitempty"`
	Status    *uint64        `cbor:"status"`
}

type wireDocument struct {
	DocType      string           `cbor:"docType"`
	IssuerSigned wireIssuerSigned `cbor:"issuerSigned"`
	DeviceSigned wireDeviceSigned `cbor:"deviceSigned"`
}

type wireDeviceSigned struct {
	NameSpaces cwt.Raw            `cbor:"nameSpaces"`
	DeviceAuth map[string]cwt.Raw `cbor:"deviceAuth"`
}

// ParseDeviceResponse reads DeviceResponse (ISO/IEC 18013-5 section 8.3.2.1.2.2) and returns its documents, at least one. It
// checks what ParseIssuerSigned does, that the docType of each document is the one of its MSO, and the form of device authentication.
func ParseDeviceResponse(b []byte) ([]Parsed, error) {
	if len(b) > MaxBytes {
		return nil, ErrTooLarge
	}
	var w wireResponse
	if err := unmarshal(b, &w, "DeviceResponse"); err != nil {
		return nil, err
	}
	if len(w.Documents) > MaxDocs {
		return nil, fmt.Errorf("%w: documents", ErrTooLarge)
	}
	if len(w.Version) < 2 || w.Version[:2] != "1." || w.Status == nil || *w.Status != 0 || len(w.Documents) == 0 {
		return nil, fmt.Errorf("%w: DeviceResponse without documents, of another version or with an error status", ErrMalformed)
	}
	out := make([]Parsed, len(w.Documents))
	for i, d := range w.Documents {
		p, err := parseIssuerSigned(d.IssuerSigned)
		if err != nil {
			return nil, err
		}
		if d.DocType != p.DocType() {
			return nil, ErrDocType
		}
		if p.device, err = parseDeviceSigned(d.DeviceSigned); err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func parseDeviceSigned(w wireDeviceSigned) (*deviceSigned, error) {
	d := &deviceSigned{nameSpaces: w.NameSpaces}
	inner, err := cwt.ParseEncoded(w.NameSpaces)
	if err != nil {
		return nil, fmt.Errorf("%w: deviceSigned: %w", ErrMalformed, err)
	}
	if err := unmarshal(inner, &d.elements, "deviceSigned"); err != nil {
		return nil, err
	}
	if len(w.DeviceAuth) != 1 {
		return nil, fmt.Errorf("%w: deviceAuth needs one of deviceSignature and deviceMac", ErrMalformed)
	}
	if _, mac := w.DeviceAuth["deviceMac"]; mac {
		return d, nil
	}
	p := policy
	p.Detached = true
	u, err := cwt.Parse(w.DeviceAuth["deviceSignature"], p)
	if err != nil {
		return nil, fmt.Errorf("%w: deviceSignature: %w", ErrMalformed, err)
	}
	d.signature = &u
	return d, nil
}

// deviceAuthentication is DeviceAuthenticationBytes (ISO/IEC 18013-5 section 9.1.3.4).
func deviceAuthentication(t Transcript, docType string, nameSpaces cwt.Raw) ([]byte, error) {
	b, err := cwt.Marshal([]any{"DeviceAuthentication", cwt.Raw(t), docType, nameSpaces})
	if err != nil {
		return nil, err
	}
	return cwt.Encoded(b)
}

// DeviceAuth checks that the device's key, the one in the MSO, signed this transcript for this document, and that it was
// allowed to sign the elements of its own that came along. Errors: ErrNoDeviceAuth, ErrDeviceAuth and what wraps it. That a challenge is answered
// only once, and in time, is the business of whoever gave it out: a transcript has no time in it.
func (v Verified) DeviceAuth(t Transcript) error {
	d := v.parsed.device
	if d == nil {
		return ErrNoDeviceAuth
	}
	if d.signature == nil {
		return ErrDeviceMAC
	}
	payload, err := deviceAuthentication(t, v.DocType(), d.nameSpaces)
	if err != nil {
		return fmt.Errorf("%w: transcript", ErrDeviceAuth)
	}
	if _, err := d.signature.VerifyDetached(payload, v.parsed.deviceKey); err != nil {
		return fmt.Errorf("%w: %w", ErrDeviceAuth, err)
	}
	may := v.parsed.mso.DeviceKeyInfo.KeyAuthorizations
	for name, elements := range d.elements {
		for id := range elements {
			if may == nil || !slices.Contains(may.NameSpaces, name) && !slices.Contains(may.DataElements[name], id) {
				return ErrKeyAuthorization
			}
		}
	}
	return nil
}

// Show names elements of one namespace to present.
type Show struct {
	NameSpace string
	Elements  []string
}

// Present makes a DeviceResponse of one document that shows the named elements and no others, signed by the device's key over the
// transcript. It refuses a key other than the document's (ErrDeviceAuth), and elements that it doesn't have (ErrNoSuchElement).
func (p Parsed) Present(device jose.SigningKey, t Transcript, show ...Show) ([]byte, error) {
	pub, err := device.Public()
	if err != nil {
		return nil, err
	}
	if pub.Thumbprint() != p.deviceKey.Thumbprint() {
		return nil, fmt.Errorf("%w: not the document's key", ErrDeviceAuth)
	}
	spaces := map[string][]cwt.Raw{}
	for _, s := range show {
		for _, id := range s.Elements {
			raw, there := p.raw[s.NameSpace][id]
			if !there {
				return nil, fmt.Errorf("%w: %q of %q", ErrNoSuchElement, id, s.NameSpace)
			}
			if slices.ContainsFunc(spaces[s.NameSpace], func(r cwt.Raw) bool { return string(r) == string(raw) }) {
				continue
			}
			spaces[s.NameSpace] = append(spaces[s.NameSpace], raw)
		}
	}
	none, err := cwt.Marshal(map[string]any{})
	if err != nil {
		return nil, err
	}
	own, err := cwt.Encoded(none)
	if err != nil {
		return nil, err
	}
	payload, err := deviceAuthentication(t, p.DocType(), own)
	if err != nil {
		return nil, err
	}
	signature, err := cwt.Sign(device, cwt.Header{}, cwt.Form{Detached: true}, payload)
	if err != nil {
		return nil, err
	}
	zero := uint64(0)
	return cwt.Marshal(wireResponse{Version: "1.0", Status: &zero, Documents: []wireDocument{{
		DocType: p.DocType(), IssuerSigned: wireIssuerSigned{NameSpaces: spaces, IssuerAuth: p.issuer},
		DeviceSigned: wireDeviceSigned{NameSpaces: own, DeviceAuth: map[string]cwt.Raw{"deviceSignature": signature}},
	}}})
}

// ShowAll names every element of the document, for Present.
func (p Parsed) ShowAll() []Show {
	out := make([]Show, 0, len(p.spaces))
	for _, name := range p.spaces {
		out = append(out, Show{NameSpace: name, Elements: slices.Sorted(maps.Keys(p.raw[name]))})
	}
	return out
}
