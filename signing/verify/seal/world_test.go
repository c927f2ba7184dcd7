package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/signing/verify"
)

const (
	origin  = "https://id.example"
	vct     = origin + sealvc.Path
	owner   = "1199440000TRY002X9"
	other   = "1199440000TRY0011H"
	maker   = "91990000MA9TRY042P"
	makerID = origin + "/seal-makers/" + maker
	sealID  = owner + "-99-ABCDEFGHIJ"
)

// The seal was made at made, the file sealed at sealed, everything is judged at now.
var (
	made   = time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	sealed = time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
	now    = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	file   = []byte("批复")
)

// world is a seal with its maker, its owner's key and the bundle, all made by the production key room.
type world struct {
	t        testing.TB
	keys     *keys.Service
	signer   keys.Signer // the owner's, for the seal
	stranger keys.Signer // another seal's of the same owner
	maker    keys.Signer
	seal     sealvc.Seal
	contents *bundle.Contents
	payload  []byte
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, keys: keystest.New(t, func() time.Time { return made })}
	w.signer, w.stranger = w.sealKey("one", owner), w.sealKey("two", owner)
	must(t, w.keys.Ensure(t.Context(), keys.SealMaker(maker), keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindSealMaker, Organization: "印章中心",
		OrganizationIdentifier: maker, URI: makerID}}))
	var err error
	w.maker, err = w.keys.Signer(t.Context(), keys.SealMaker(maker))
	must(t, err)
	w.seal = sealvc.Seal{ID: sealID, Kind: "99", Name: "行政审批专用章", Owner: sealvc.Owner{Code: owner, Name: "沙箱省公安厅"}, DocumentKinds: []string{"approval", "notice"},
		ValidFrom: "2026-11-20", ValidTo: "2028-11-20", Signers: []string{sealvc.SignerHash(w.signer.Chain()[0])}}
	metadata := sealvc.Metadata(vct)
	w.contents = &bundle.Contents{Version: 7, AsOf: now.Add(-time.Hour), Expires: now.Add(7 * 24 * time.Hour),
		Types:   map[string]bundle.TypeMetadata{vct: {Raw: metadata, Integrity: sealvc.Integrity(metadata)}},
		Issuers: []bundle.Issuer{{ID: makerID, Code: maker, Name: map[string]string{"zh": "印章中心"}, Authorised: []bundle.Authorisation{{VCT: vct}}}}}
	anchors, err := w.keys.Anchors(t.Context())
	must(t, err)
	for _, a := range anchors {
		w.contents.Anchors = append(w.contents.Anchors, bundle.Anchor{Purpose: string(a.Kind), DER: a.DER})
	}
	w.history(bundle.SealState{State: bundle.SealActive, EffectiveAt: made, RecordedAt: made})
	return w
}

func (w *world) sealKey(thing, organisation string) keys.Signer {
	s, err := w.keys.EnsureSingle(w.t.Context(), keys.ClassSeal, thing, keys.SingleSpec{Life: 1000 * 24 * time.Hour,
		Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: "沙箱省公安厅", OrganizationIdentifier: organisation}})
	must(w.t, err)
	return s
}

// history is what the bundle says of the seal.
func (w *world) history(states ...bundle.SealState) {
	w.credential() // fixes the payload
	w.register(states...)
}

// register is history for the credential that was made last.
func (w *world) register(states ...bundle.SealState) {
	sum := sha256.Sum256(w.payload)
	w.contents.Issuers[0].Seals = []bundle.Seal{{ID: w.seal.ID, PayloadSHA256: hex.EncodeToString(sum[:]), History: states}}
}

func (w *world) credential() string { return w.credentialBy(w.maker, w.maker.Chain(), makerID, nil) }

func (w *world) credentialBy(by keys.Signer, chain [][]byte, iss string, edit func(map[string]any)) string {
	w.t.Helper()
	return w.credentialOf(by.Key(), chain, iss, edit)
}

func (w *world) credentialOf(by jose.SigningKey, chain [][]byte, iss string, edit func(map[string]any)) string {
	w.t.Helper()
	claims := w.seal.Credential(iss, vct, sealvc.Integrity(sealvc.Metadata(vct)), made)
	if edit != nil {
		edit(claims)
	}
	laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Salts: rand.Reader})
	must(w.t, err)
	w.payload = laid.Payload
	text, err := sdjwt.Issue(by, chain, laid)
	must(w.t, err)
	return text
}

// use is one sealing, as an honest signer does it; edit makes it another.
type use struct {
	signer jose.SigningKey
	jades.Template
}

func (w *world) sign(edit func(*use)) []byte {
	w.t.Helper()
	u := &use{signer: w.signer.Key(), Template: jades.Template{Document: jades.Document{SHA256: sha256.Sum256(file), Name: "批复.txt", MediaType: "text/plain"},
		Seal: w.credential(), KindURI: sealvc.DocumentKindURI(origin, "approval"), IssuedAt: sealed, Chain: w.signer.Chain()}}
	if edit != nil {
		edit(u)
	}
	protected, err := jades.LayOut(u.Template)
	must(w.t, err)
	out, err := jades.Sign(u.signer, protected)
	must(w.t, err)
	return out
}

func (w *world) verify(sig []byte) verify.Verdict {
	w.t.Helper()
	return Verify(sig, sha256.Sum256(file), w.contents, now, verify.Policy{})
}

// edited returns a world whose bundle differs.
func (w *world) edited(edit func(*bundle.Contents)) *world {
	c, out := *w.contents, *w
	c.Issuers = append([]bundle.Issuer{}, c.Issuers...)
	c.Anchors = append([]bundle.Anchor{}, c.Anchors...)
	edit(&c)
	out.contents = &c
	return &out
}

func expect(t testing.TB, v verify.Verdict, outcome verify.Outcome, reason string) {
	t.Helper()
	if v.Outcome() != outcome || v.Reason() != reason {
		t.Errorf("%s (%s), want %s (%s)\n%s", v.Outcome(), v.Reason(), outcome, reason, v.Text("en"))
	}
}
