//go:build conformance

package conformance

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/mdoc"
)

const (
	mdlDocType   = "org.iso.18013.5.1.mDL"
	mdlNameSpace = "org.iso.18013.5.1"
)

// TestForeignVerifiersReadOurMDoc: npm @owf/mdoc and @auth0/mdl verify an mDL as keys/ and signing/mdoc make it, and a DeviceResponse of it, and refuse each twin.
func TestForeignVerifiersReadOurMDoc(t *testing.T) {
	t.Parallel()
	m := newMDL(t)
	shown := []string{"family_name", "birth_date", "portrait", "issuing_country"}
	response, err := m.parsed.Present(m.device, m.transcript(t, "n-1"), mdoc.Show{NameSpace: mdlNameSpace, Elements: shown})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(shown)
	url := base64.RawURLEncoding.EncodeToString
	std := base64.StdEncoding.EncodeToString
	changed := bytes.Replace(m.issued, []byte("LI"), []byte("LO"), 1)
	script(t, "mdoc.mjs", map[string]any{
		"issuer_signed": url(m.issued), "changed": url(changed), "device_response": url(response), "iaca": std(m.iaca), "other_iaca": std(newMDL(t).iaca),
		"doc_type": mdlDocType, "name_space": mdlNameSpace, "nonce": "n-1", "audience": mdlAudience, "shown": shown,
		"transcript": url(m.transcript(t, "n-1")), "other_transcript": url(m.transcript(t, "n-2")),
		"elements": map[string]any{"family_name": "LI", "birth_date": "1958-03-12", "portrait": "1000 bytes", "issuing_country": "CN", "age_over_18": true},
	}, nil)
}

const mdlAudience = "https://verifier.example"

// mdl is an mDL with the key of its holder.
type mdl struct {
	iaca, issued []byte
	device       jose.SigningKey
	parsed       mdoc.Parsed
}

func newMDL(t *testing.T) mdl {
	t.Helper()
	ctx := t.Context()
	service := keystest.New(t, time.Now)
	iaca, err := service.EnsureIntermediate(ctx, keys.KindIACA)
	if err != nil {
		t.Fatal(err)
	}
	purpose := keys.DocumentSigner(sealOwner)
	if err := service.Ensure(ctx, purpose, keys.Spec{RotateEvery: 180 * 24 * time.Hour, PublishAhead: 24 * time.Hour, Keep: 100 * 24 * time.Hour,
		Certificate: &keys.CertificateSpec{Kind: keys.KindIACA, Organization: "沙箱省公安厅交通管理局", OrganizationIdentifier: sealOwner,
			URI: sealOrigin + "/i/" + sealOwner}}); err != nil {
		t.Fatal(err)
	}
	signer, err := service.Signer(ctx, purpose)
	if err != nil {
		t.Fatal(err)
	}
	m := mdl{iaca: iaca.DER}
	if m.device, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	own, err := m.device.Public()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	laid, err := mdoc.Build(mdoc.Template{DocType: mdlDocType, DeviceKey: own, Signed: now, ValidFrom: now, ValidUntil: now.AddDate(0, 3, 0), Random: rand.Reader,
		Status: &mdoc.StatusRef{URI: sealOrigin + "/status/1", Index: 7},
		NameSpaces: []mdoc.NameSpace{{Name: mdlNameSpace, Elements: []mdoc.Element{{ID: "family_name", Value: "LI"}, {ID: "given_name", Value: "XIUYING"},
			{ID: "birth_date", Value: mdoc.FullDate("1958-03-12")}, {ID: "issue_date", Value: mdoc.FullDate("2023-05-21")}, {ID: "expiry_date", Value: mdoc.FullDate("2029-05-21")},
			{ID: "issuing_country", Value: "CN"}, {ID: "issuing_authority", Value: "沙箱省公安厅交通管理局"}, {ID: "document_number", Value: "440100195803120000"},
			{ID: "portrait", Value: bytes.Repeat([]byte{7}, 1000)}, {ID: "un_distinguishing_sign", Value: "CHN"}, {ID: "age_over_18", Value: true},
			{ID: "driving_privileges", Value: []any{map[string]any{"vehicle_category_code": "B", "issue_date": mdoc.FullDate("2023-05-21")}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if m.issued, err = mdoc.Issue(signer.Key(), signer.Chain(), laid); err != nil {
		t.Fatal(err)
	}
	if m.parsed, err = mdoc.ParseIssuerSigned(m.issued); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m mdl) transcript(t *testing.T, nonce string) mdoc.Transcript {
	t.Helper()
	out, err := mdoc.Challenge(nonce, mdlAudience)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
