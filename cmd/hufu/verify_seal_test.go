package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const (
	sealMaker   = "91990000MA9TRY042P"
	sealMakerID = "https://hufu.example/seal-makers/" + sealMaker
	sealVCT     = "https://hufu.example" + sealvc.Path
	sealName    = trusttest.Code + "-99-ABCDEFGHIJ"
	sealedText  = "批复\n"
)

// seal adds a seal maker, a seal and a sealed file to the world, in the bundle sealed.zip: decision.txt and decision.txt.jades.
func (w *fileWorld) seal() {
	w.t.Helper()
	makerCA, signerCA := trusttest.Certify(w.t, "M1", nil, nil), trusttest.Certify(w.t, "G1", nil, nil)
	maker, signer := trusttest.Certify(w.t, "Seal maker", &makerCA, trusttest.Named(w.t, sealMaker, sealMakerID)), trusttest.Certify(w.t, "Seal", &signerCA, trusttest.Named(w.t, trusttest.Code, ""))
	made := w.now.AddDate(0, 0, -2)
	metadata := sealvc.Metadata(sealVCT)
	laid, err := sdjwt.Build(sdjwt.Template{Salts: rand.Reader, Claims: sealvc.Seal{ID: sealName, Kind: "99", Name: "行政审批专用章", Owner: sealvc.Owner{Code: trusttest.Code, Name: "沙箱省公安厅"},
		DocumentKinds: []string{"approval"}, ValidFrom: made.AddDate(0, 0, -1).Format(time.DateOnly), ValidTo: made.AddDate(1, 0, 0).Format(time.DateOnly),
		Signers: []string{sealvc.SignerHash(signer.Cert.Raw)}}.Credential(sealMakerID, sealVCT, sealvc.Integrity(metadata), made)})
	check(w.t, err)
	key, err := jose.NewSigningKey(maker.Key, jose.ES256)
	check(w.t, err)
	credential, err := sdjwt.Issue(key, [][]byte{maker.Cert.Raw, makerCA.Cert.Raw}, laid)
	check(w.t, err)
	protected, err := jades.LayOut(jades.Template{Document: jades.Document{SHA256: sha256.Sum256([]byte(sealedText)), Name: "decision.txt", MediaType: "text/plain"}, Seal: credential,
		KindURI: sealvc.DocumentKindURI("https://hufu.example", "approval"), IssuedAt: w.now.Add(-time.Hour), Chain: [][]byte{signer.Cert.Raw, signerCA.Cert.Raw}})
	check(w.t, err)
	key, err = jose.NewSigningKey(signer.Key, jose.ES256)
	check(w.t, err)
	signature, err := jades.Sign(key, protected)
	check(w.t, err)
	w.write("decision.txt", []byte(sealedText))
	w.write("decision.txt.jades", signature)
	sum := sha256.Sum256(laid.Payload)
	w.In.Anchors = append(w.In.Anchors, bundle.Anchor{Purpose: "seal-maker", DER: makerCA.Cert.Raw}, bundle.Anchor{Purpose: "seal-signer", DER: signerCA.Cert.Raw})
	w.In.Types[sealVCT] = metadata
	w.In.Issuers = append(w.In.Issuers, bundle.Issuer{ID: sealMakerID, Code: sealMaker, Name: map[string]string{"zh": "沙箱印章制作中心", "en": "Sandbox Seal Makers"},
		Authorised: []bundle.Authorisation{{VCT: sealVCT}}, Seals: []bundle.Seal{{ID: sealName, PayloadSHA256: hex.EncodeToString(sum[:]),
			History: []bundle.SealState{{State: bundle.SealActive, EffectiveAt: made, RecordedAt: made}}}}})
	w.Keys.Issuers[sealMaker] = trusttest.OneKey(w.t)
	w.publish("sealed.zip", w.now)
}

// suspend ends the use of the seal now, in the bundle suspended.zip.
func (w *fileWorld) suspend() {
	w.t.Helper()
	maker := &w.In.Issuers[len(w.In.Issuers)-1]
	maker.Seals[0].History = append(maker.Seals[0].History, bundle.SealState{State: bundle.SealSuspended, EffectiveAt: w.now, RecordedAt: w.now})
	w.publish("suspended.zip", w.now)
}

func TestVerifySealedFile(t *testing.T) {
	w := newFileWorld(t)
	w.seal()
	w.suspend()
	w.write("renamed.txt", []byte(sealedText))
	changed := []byte(sealedText)
	changed[0] ^= 1
	w.write("changed.txt", changed)
	w.write("junk.jades", []byte("junk"))
	w.write("long.jades", make([]byte, jades.MaxBytes+1))
	week := w.now.Add(8 * 24 * time.Hour).UTC().Format(time.RFC3339)
	trust := []string{"--root", "@root.json", "--bundle", "@sealed.zip"}
	sealed := append(slices.Clone(trust), "--seal", "@decision.txt.jades")
	with := func(list []string, more ...string) []string { return append(slices.Clone(list), more...) }
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"valid":                     {with(sealed, "@decision.txt"), 0, "VALID"},
		"S01 only the name differs": {with(sealed, "@renamed.txt"), 0, "VALID"},
		"S01 one bit changed":       {with(sealed, "@changed.txt"), 2, "not the one that was sealed"},
		"S01 another file":          {with(sealed, "@licence.txt"), 2, "not the one that was sealed"},
		"from stdin":                {with(sealed, "-"), 0, "VALID"},
		"S04 suspended since":       {[]string{"--root", "@root.json", "--bundle", "@suspended.zip", "--seal", "@decision.txt.jades", "@decision.txt"}, 3, "suspended since"},
		"no bundle":                 {[]string{"--root", "@root.json", "--seal", "@decision.txt.jades", "@decision.txt"}, 3, "No trust bundle"},
		"no bundle, another file":   {[]string{"--root", "@root.json", "--seal", "@decision.txt.jades", "@licence.txt"}, 2, "INVALID"},
		"R01 bundle expired":        {with(sealed, "--at", week, "@decision.txt"), 3, "expired"},
		"R07 junk":                  {with(trust, "--seal", "@junk.jades", "@decision.txt"), 2, "not a sealed file's signature"},
		"R08 too long":              {with(trust, "--seal", "@long.jades", "@decision.txt"), 2, "not a sealed file's signature"},
		"a licence as a seal":       {with(trust, "--seal", "@licence.txt", "@decision.txt"), 2, "INVALID"},
		"seal can't be opened":      {with(trust, "--seal", "@nowhere", "@decision.txt"), 1, "nowhere"},
		"file can't be opened":      {with(sealed, "@nowhere.txt"), 1, "nowhere.txt"},
		"with a nonce":              {with(sealed, "--nonce", "n", "--audience", "a", "@decision.txt"), 1, "--seal"},
		"with a holder":             {with(sealed, "--holder", "any", "@decision.txt"), 1, "--seal"},
		"with a purpose":            {with(sealed, "--purpose", "https://hufu.example/purposes/p", "@decision.txt"), 1, "--seal"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newVerifyCmd()
			cmd.SetIn(strings.NewReader(sealedText))
			code, stdout, stderr := w.hufu(cmd, append([]string{"--lang", "en"}, c.args...)...)
			if code != c.want || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, c.want, c.says, stdout, stderr)
			}
		})
	}
}

func TestVerifySealedFileTellsWhatIsKnown(t *testing.T) {
	w := newFileWorld(t)
	w.seal()
	w.suspend()
	args := []string{"--root", "@root.json", "--bundle", "@suspended.zip", "--seal", "@decision.txt.jades"}
	_, out, _ := w.hufu(newVerifyCmd(), append(slices.Clone(args), "--json", "@decision.txt")...)
	var v struct {
		Verdict, Reason string
		Checks          []struct{ Name string }
		Seal            map[string]any
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("not one line of JSON: %v\n%s", err, out)
	}
	if v.Verdict != "cannot_tell" || v.Reason != "seal_suspended_since" || len(v.Checks) != 10 || v.Seal["id"] != sealName || v.Seal["time_trusted"] != false ||
		v.Seal["state_then"] != "active" || v.Seal["state_now"] != "suspended" || v.Seal["document_kind"] != "approval" {
		t.Errorf("%s", out)
	}
	_, zh, _ := w.hufu(newVerifyCmd(), append(slices.Clone(args), "--lang", "zh", "@decision.txt")...)
	for _, said := range []string{"行政审批专用章", "沙箱印章制作中心", "没有可信时间戳", "挂失停用"} {
		if !strings.Contains(zh, said) {
			t.Errorf("%s isn't told:\n%s", said, zh)
		}
	}
}

// TestVerifyPurpose: what a holder showed without being asked, for who names the purpose.
func TestVerifyPurpose(t *testing.T) {
	const driving, hotel = "https://hufu.example/purposes/driving-check", "https://hufu.example/purposes/hotel"
	w := newFileWorld(t)
	for name, at := range map[string]time.Time{"shown.txt": w.now, "old.txt": w.now.Add(-11 * time.Minute)} {
		shown, err := sdjwt.BindKey(w.licence, w.Holder, driving, "a-nonce-of-its-own", at)
		check(t, err)
		w.write(name, []byte(shown))
	}
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"its purpose":            {[]string{"--purpose", driving, "@shown.txt"}, 0, "VALID"},
		"one of two":             {[]string{"--purpose", hotel, "--purpose", driving, "@shown.txt"}, 0, "VALID"},
		"beside a challenge":     {[]string{"--nonce", "n-1", "--audience", "https://counter.example", "--purpose", driving, "@shown.txt"}, 0, "VALID"},
		"the challenge's answer": {[]string{"--nonce", "n-1", "--audience", "https://counter.example", "--purpose", driving, "@presentation.txt"}, 0, "VALID"},
		"eleven minutes old":     {[]string{"--purpose", driving, "@old.txt"}, 2, "INVALID"},
		"another purpose":        {[]string{"--purpose", hotel, "@shown.txt"}, 2, "INVALID"},
		"no purpose":             {[]string{"@shown.txt"}, 3, "CANNOT TELL"},
		"a counter's address":    {[]string{"--purpose", "https://counter.example", "@presentation.txt"}, 1, "purposes/driving-check"},
		"its twin, asked":        {[]string{"--nonce", "n-1", "--audience", "https://counter.example", "@presentation.txt"}, 0, "VALID"},
		"with --holder any":      {[]string{"--holder", "any", "--purpose", driving, "@shown.txt"}, 1, "exclude"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := w.hufu(newVerifyCmd(), append([]string{"--lang", "en", "--root", "@root.json", "--bundle", "@bundle.zip"}, c.args...)...)
			if code != c.want || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, c.want, c.says, stdout, stderr)
			}
		})
	}
}
