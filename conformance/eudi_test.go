//go:build conformance

package conformance

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// TestEUDILibraryReadsOurSDJWT: the EUDI reference library for SD-JWT VC (Kotlin) verifies a licence as keys/ and signing/sdjwt make it, and a presentation of it, and
// refuses each twin. It takes https issuers only, so the licence is not one of hufu dev.
func TestEUDILibraryReadsOurSDJWT(t *testing.T) {
	t.Parallel()
	l, other := newLicence(t), newLicence(t)
	parsed, err := sdjwt.Parse(l.text)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := parsed.Present(sdjwt.P("name"), sdjwt.P("address", "street"))
	if err != nil {
		t.Fatal(err)
	}
	if shown, err = sdjwt.BindKey(shown, l.holder, "https://verifier.example", "n-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	std := base64.StdEncoding.EncodeToString
	program(t, "eudi", "Check.java", map[string]any{"credential": l.text, "presentation": shown, "nonce": "n-1", "audience": "https://verifier.example", "root": std(l.root),
		"other_root": std(other.root), "issuer": sealOrigin + "/i/" + sealOwner, "disclosures": 5}, nil)
}

// licence is an SD-JWT VC under https with the key of its holder.
type licence struct {
	root   []byte
	holder jose.SigningKey
	text   string
}

func newLicence(t *testing.T) licence {
	t.Helper()
	ctx := t.Context()
	service := keystest.New(t, time.Now)
	root, err := service.EnsureRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	issuer := sealOrigin + "/i/" + sealOwner
	purpose := keys.Credential(sealOwner)
	if err := service.Ensure(ctx, purpose, keys.Spec{RotateEvery: 180 * 24 * time.Hour, PublishAhead: 24 * time.Hour, Keep: 100 * 24 * time.Hour,
		Certificate: &keys.CertificateSpec{Kind: keys.KindCredential, Organization: "沙箱省公安厅交通管理局", OrganizationIdentifier: sealOwner, URI: issuer}}); err != nil {
		t.Fatal(err)
	}
	signer, err := service.Signer(ctx, purpose)
	if err != nil {
		t.Fatal(err)
	}
	l := licence{root: root.DER}
	if l.holder, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	own, err := l.holder.Public()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	laid, err := sdjwt.Build(sdjwt.Template{Claims: map[string]any{"iss": issuer, "vct": sealOrigin + "/types/driving-licence/1", "iat": now.Unix(), "exp": now.AddDate(0, 3, 0).Unix(),
		"name": "李秀英", "birth_date": "1958-03-12", "valid_to": "2029-05-21", "vehicle_classes": []string{"C1"}, "address": map[string]any{"street": "沿江路 1 号", "city": "广州"}},
		Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("birth_date"), sdjwt.P("address"), sdjwt.P("address", "street"), {"vehicle_classes", nil}}, Holder: &own, Salts: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	if l.text, err = sdjwt.Issue(signer.Key(), signer.Chain(), laid); err != nil {
		t.Fatal(err)
	}
	return l
}
