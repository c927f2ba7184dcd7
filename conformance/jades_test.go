//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const (
	sealOrigin = "https://hufu.example"
	sealOwner  = "1199440000TRY002X9"
	sealMaker  = "1199440000TRY0011H"
	sealedName = "行政处罚决定书 1+2.pdf"
)

// sealWorld is a seal maker, a seal and its key, with certificates as keys/ makes them.
type sealWorld struct {
	root       []byte // DER
	seal       sealvc.Seal
	credential string
	makerKey   jose.JWK
	signer     keys.Signer
}

func newSealWorld(t *testing.T) sealWorld {
	t.Helper()
	ctx := context.Background()
	service := keystest.New(t, time.Now)
	root, err := service.EnsureRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := sealWorld{root: root.DER}
	issuer := sealOrigin + "/seal-makers/" + sealMaker
	purpose := keys.SealMaker(sealMaker)
	if err := service.Ensure(ctx, purpose, keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindSealMaker, Organization: "沙箱省印章中心", OrganizationIdentifier: sealMaker, URI: issuer}}); err != nil {
		t.Fatal(err)
	}
	maker, err := service.Signer(ctx, purpose)
	if err != nil {
		t.Fatal(err)
	}
	w.makerKey = maker.Public()
	id := sealOwner + "-01-7K3M9Q2W8Z"
	if w.signer, err = service.EnsureSingle(ctx, keys.ClassSeal, id, keys.SingleSpec{Life: 365 * 24 * time.Hour,
		Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: "沙箱省公安厅交通管理局", OrganizationIdentifier: sealOwner}}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w.seal = sealvc.Seal{ID: id, Kind: "01", Name: "沙箱省公安厅交通管理局", Owner: sealvc.Owner{Code: sealOwner, Name: "沙箱省公安厅交通管理局"}, DocumentKinds: []string{"decision"},
		ValidFrom: now.Format(time.DateOnly), ValidTo: now.AddDate(1, 0, 0).Format(time.DateOnly), Signers: []string{sealvc.SignerHash(w.signer.Chain()[0])}}
	vct := sealOrigin + sealvc.Path
	laid, err := sdjwt.Build(sdjwt.Template{Claims: w.seal.Credential(issuer, vct, sealvc.Integrity(sealvc.Metadata(vct)), now)})
	if err != nil {
		t.Fatal(err)
	}
	if w.credential, err = sdjwt.Issue(maker.Key(), maker.Chain(), laid); err != nil {
		t.Fatal(err)
	}
	return w
}

// put seals a document.
func (w sealWorld) put(t *testing.T, document []byte) []byte {
	t.Helper()
	protected, err := jades.LayOut(jades.Template{
		Document: jades.Document{SHA256: sha256.Sum256(document), Name: sealedName, MediaType: "application/pdf"}, Seal: w.credential,
		KindURI: sealvc.DocumentKindURI(sealOrigin, "decision"), IssuedAt: time.Now(), Chain: w.signer.Chain(),
	})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := jades.Sign(w.signer.Key(), protected)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// flattened is a signature taken apart, to be changed.
type flattened struct {
	Payload   *string `json:"payload,omitempty"`
	Protected string  `json:"protected"`
	Header    any     `json:"header,omitempty"`
	Signature string  `json:"signature"`
}

func takeApart(t *testing.T, sig []byte) (f flattened, header map[string]any) {
	t.Helper()
	if err := json.Unmarshal(sig, &f); err != nil {
		t.Fatal(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(f.Protected)
	if err != nil {
		t.Fatal(err)
	}
	if err := jose.DecodeStrict(b, &header); err != nil {
		t.Fatal(err)
	}
	return f, header
}

func (f flattened) withHeader(t *testing.T, header map[string]any) flattened {
	t.Helper()
	f.Protected = base64.RawURLEncoding.EncodeToString(mustJSON(t, header))
	return f
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resigned signs a header of any form with the seal's own key: what who has the key could do.
func (w sealWorld) resigned(t *testing.T, header map[string]any) flattened {
	t.Helper()
	f := flattened{}.withHeader(t, header)
	digest := sha256.Sum256([]byte(f.Protected + "."))
	der, err := w.signer.Key().Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		t.Fatal(err)
	}
	f.Signature = base64.RawURLEncoding.EncodeToString(append(raw.R.FillBytes(make([]byte, 32)), raw.S.FillBytes(make([]byte, 32))...))
	return f
}

// dssCase is one question to EU DSS.
type dssCase struct {
	name                string
	signature, document []byte
	anchor              []byte
}

// dssVerdict is what clients/dss/Judge.java says.
type dssVerdict struct {
	Name              string
	Error             string
	Schema            []string
	Signatures        int
	Indication        string
	SubIndication     string `json:"sub_indication"`
	Format            string
	Structure         bool
	StructureMessages []string `json:"structure_messages"`
	Signer            string
	Intact            bool
	Commitments       []string
	Assertions        []string
	References        []string
	Errors, Warnings  []string
}

func askDSS(t *testing.T, cases []dssCase) map[string]dssVerdict {
	t.Helper()
	dir := t.TempDir()
	var in strings.Builder
	for i, c := range cases {
		var files [3]string
		for j, b := range [][]byte{c.signature, c.document, c.anchor} {
			files[j] = filepath.Join(dir, fmt.Sprintf("%d-%d", i, j))
			if err := os.WriteFile(files[j], b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&in, "%s\t%s\t%s\t%s\t%s\n", c.name, files[0], files[1], sealedName, files[2])
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-cp", filepath.Join(jars(t, "dss"), "*"), "clients/dss/Judge.java")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(in.String()), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	verdicts := map[string]dssVerdict{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var v dssVerdict
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		verdicts[v.Name] = v
	}
	if len(verdicts) != len(cases) {
		t.Fatalf("%d verdicts of %d: %s", len(verdicts), len(cases), stderr.String())
	}
	return verdicts
}

// TestDSSJudgesTheSealedFile (S01, S14): EU DSS under its own policy, in which we only leave out revocation data: seals have none, their state is in the trust bundle.
func TestDSSJudgesTheSealedFile(t *testing.T) {
	w, stranger := newSealWorld(t), newSealWorld(t)
	document := []byte("%PDF-1.7 行政处罚决定书\n")
	sig := w.put(t, document)
	f, header := takeApart(t, sig)
	change := func(edit func(h map[string]any)) map[string]any {
		h := maps.Clone(header)
		h["sigD"] = maps.Clone(header["sigD"].(map[string]any))
		edit(h)
		return h
	}
	later := change(func(h map[string]any) { h["iat"] = time.Now().Add(-time.Minute).Unix() })
	flipped, err := base64.RawURLEncoding.DecodeString(f.Signature)
	if err != nil {
		t.Fatal(err)
	}
	flipped[10] ^= 1
	otherSignature := f
	otherSignature.Signature = base64.RawURLEncoding.EncodeToString(flipped)
	otherHash := change(func(h map[string]any) {
		sum := sha256.Sum256([]byte("other"))
		h["sigD"].(map[string]any)["hashV"] = []string{base64.RawURLEncoding.EncodeToString(sum[:])}
	})
	otherThumbprint := change(func(h map[string]any) { h["x5t#S256"] = sealvc.SignerHash(stranger.signer.Chain()[0]) })
	const ( // of the signing input, and of the document by sigD: found, intact
		allIntact       = "JWS_SIGNING_INPUT_DIGEST true true, SIG_D_ENTRY true true"
		headerChanged   = "JWS_SIGNING_INPUT_DIGEST true false, SIG_D_ENTRY true true"
		documentChanged = "JWS_SIGNING_INPUT_DIGEST true true, SIG_D_ENTRY true false"
	)
	type want struct {
		dssCase
		indication, sub, references string
	}
	cases := []want{
		{dssCase{"sealed", sig, document, w.root}, "TOTAL_PASSED", "null", allIntact},
		{dssCase{"the header laid out again and signed by the key", mustJSON(t, w.resigned(t, later)), document, w.root}, "TOTAL_PASSED", "null", allIntact},
		{dssCase{"S01: a changed byte in the document", sig, bytes.Replace(document, []byte("1.7"), []byte("1.6"), 1), w.root}, "TOTAL_FAILED", "HASH_FAILURE", documentChanged},
		{dssCase{"another document", sig, []byte("other"), w.root}, "TOTAL_FAILED", "HASH_FAILURE", documentChanged},
		{dssCase{"a changed header", mustJSON(t, f.withHeader(t, later)), document, w.root}, "TOTAL_FAILED", "HASH_FAILURE", headerChanged},
		{dssCase{"a changed header for the other document", mustJSON(t, f.withHeader(t, otherHash)), []byte("other"), w.root}, "TOTAL_FAILED", "HASH_FAILURE", headerChanged},
		{dssCase{"a changed signature", mustJSON(t, otherSignature), document, w.root}, "TOTAL_FAILED", "HASH_FAILURE", headerChanged},
		{dssCase{"another trust anchor", sig, document, stranger.root}, "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND", allIntact},
		{dssCase{"x5t#S256 of another certificate", mustJSON(t, w.resigned(t, otherThumbprint)), document, w.root}, "INDETERMINATE", "NO_SIGNING_CERTIFICATE_FOUND", allIntact},
	}
	asked := make([]dssCase, len(cases))
	for i, c := range cases {
		asked[i] = c.dssCase
	}
	verdicts := askDSS(t, asked)
	for _, c := range cases {
		v := verdicts[c.name]
		if v.Error != "" || v.Signatures != 1 || v.Indication != c.indication || v.SubIndication != c.sub || strings.Join(v.References, ", ") != c.references {
			v.Assertions = nil // long
			t.Errorf("%s: %+v", c.name, v)
		}
	}
	v := verdicts["sealed"]
	leaf, err := x509.ParseCertificate(w.signer.Chain()[0])
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case len(v.Schema) != 0 || !v.Structure || v.Format != "JAdES-BASELINE-B" || len(v.Errors) != 0:
		t.Errorf("not a JAdES of level B-B by the schema of TS 119 182-1: %+v", v)
	case !strings.Contains(v.Signer, leaf.Subject.CommonName):
		t.Errorf("signer %s", v.Signer)
	case !slices.Equal(v.Commitments, []string{sealvc.DocumentKindURI(sealOrigin, "decision")}) || !slices.Equal(v.Assertions, []string{w.credential}):
		t.Errorf("kind of document %v, seal %v", v.Commitments, v.Assertions)
	}
	// Certificates name no place to ask: everything is in the bundle. DSS compares the percent-encoded name of the file with its bytes.
	for _, warning := range v.Warnings {
		if !slices.Contains([]string{"The authority info access is not present!", "The revocation info access is not present!", "The reference name does not match the name of the document!"}, warning) {
			t.Errorf("DSS warns: %s", warning)
		}
	}
}

func TestForeignLibrariesReadTheSeal(t *testing.T) {
	w := newSealWorld(t)
	document := []byte("%PDF-1.7 行政处罚决定书\n")
	sig := w.put(t, document)
	_, header := takeApart(t, sig)
	for _, name := range []string{"crit", "b64", "sigD"} {
		delete(header, name)
	}
	vct := sealOrigin + sealvc.Path
	script(t, "seal.mjs", map[string]any{
		"root": w.root, "signature": string(sig), "twin": string(mustJSON(t, w.resigned(t, header))), "document": document, "vct": vct, "seal_id": w.seal.ID,
		"metadata": sealvc.Metadata(vct),
	}, func(json.RawMessage) any { return nil })
}
