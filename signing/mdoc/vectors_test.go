package mdoc

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

type vectorDoc struct {
	Name, Form, Hex, Device, Nonce, Thumbprint string
	DocType                                    string `json:"doc_type"`
	ClientID                                   string `json:"client_id"`
	ResponseURI                                string `json:"response_uri"`
}

type vectors struct {
	Documents   []vectorDoc
	Transcripts []struct {
		ClientID    string `json:"client_id"`
		ResponseURI string `json:"response_uri"`
		Origin      string
		Nonce       string
		Thumbprint  string
		Hex         string
	}
}

func load(t testing.TB) (v vectors) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	must(t, err)
	must(t, json.Unmarshal(raw, &v))
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

func TestTranscriptVectors(t *testing.T) {
	for _, v := range load(t).Transcripts {
		var got Transcript
		var err error
		if v.Origin != "" {
			got, err = OpenID4VPDCAPI(v.Origin, v.Nonce, unhex(t, v.Thumbprint))
		} else {
			got, err = OpenID4VP(v.ClientID, v.Nonce, unhex(t, v.Thumbprint), v.ResponseURI)
		}
		must(t, err)
		if want := unhex(t, v.Hex); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
	}
}

// Documents of others: the standard's own and those of wallets and issuers in the field.
func TestDocumentsOfOthers(t *testing.T) {
	for _, v := range load(t).Documents {
		t.Run(v.Name, func(t *testing.T) {
			b := unhex(t, v.Hex)
			var p Parsed
			if v.Form == "IssuerSigned" {
				var err error
				p, err = ParseIssuerSigned(b)
				must(t, err)
			} else {
				docs, err := ParseDeviceResponse(b)
				must(t, err)
				p = docs[0]
			}
			if p.DocType() != v.DocType || len(p.UnverifiedElements()) == 0 {
				t.Errorf("%q, %d namespaces", p.DocType(), len(p.UnverifiedElements()))
			}
			cert, err := x509.ParseCertificate(p.X5Chain()[0])
			must(t, err)
			key, err := jose.FromPublic(cert.PublicKey, "", p.Alg())
			must(t, err)
			doc, err := p.Verify(key)
			must(t, err)
			switch v.Device {
			case "mac":
				if err := doc.DeviceAuth(nil); !errors.Is(err, ErrDeviceMAC) {
					t.Errorf("deviceMac: %v", err)
				}
			case "openid4vp":
				transcript, err := OpenID4VP(v.ClientID, v.Nonce, unhex(t, v.Thumbprint), v.ResponseURI)
				must(t, err)
				must(t, doc.DeviceAuth(transcript))
				other, err := OpenID4VP(v.ClientID, v.Nonce+"x", unhex(t, v.Thumbprint), v.ResponseURI)
				must(t, err)
				if err := doc.DeviceAuth(other); !errors.Is(err, ErrDeviceAuth) {
					t.Errorf("another nonce: %v", err)
				}
			}
		})
	}
}

// The elements of the standard's document, with its dates and its portrait.
func TestAnnexDElements(t *testing.T) {
	docs, err := ParseDeviceResponse(unhex(t, load(t).Documents[0].Hex))
	must(t, err)
	e := docs[0].UnverifiedElements()[MDLNameSpace]
	if len(e) != 6 || e["family_name"] != "Doe" || e["issue_date"] != FullDate("2019-10-20") || e["document_number"] != "123456789" {
		t.Errorf("%v", e)
	}
	if portrait, _ := e["portrait"].([]byte); len(portrait) != 1042 {
		t.Errorf("portrait of %d bytes", len(portrait))
	}
	if privileges, _ := e["driving_privileges"].([]any); len(privileges) != 2 {
		t.Errorf("%v", e["driving_privileges"])
	}
	if docs[0].Hidden() != 11 {
		t.Errorf("hidden %d", docs[0].Hidden())
	}
}

func FuzzParse(f *testing.F) {
	w := newWorld(f)
	issued := w.issue(f, nil)
	f.Add(issued)
	p, err := ParseIssuerSigned(issued)
	must(f, err)
	transcript, err := Challenge("n", "a")
	must(f, err)
	shown, err := p.Present(w.device, transcript, p.ShowAll()...)
	must(f, err)
	f.Add(shown)
	for _, v := range load(f).Documents {
		f.Add(unhex(f, v.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParseIssuerSigned(b); err == nil {
			if len(p.X5Chain()) == 0 || p.DocType() == "" || p.DeviceKeyZero() {
				t.Error("an incomplete document was read")
			}
			inner, err := cwt.ParseEncoded(p.MSO())
			if err != nil || len(inner) == 0 {
				t.Error("no MSO")
			}
		}
		docs, err := ParseDeviceResponse(b)
		if err == nil && len(docs) == 0 {
			t.Error("no documents and no error")
		}
		for _, d := range docs {
			_ = Verified{d}.DeviceAuth(transcript)
		}
	})
}

func (p Parsed) DeviceKeyZero() bool { return p.deviceKey.IsZero() }
