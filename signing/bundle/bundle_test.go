package bundle

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

const (
	codeA, codeB = "1199440000TRY002X9", "1199440000TRY0011H"
	idA, idB     = "https://id.example/i/" + codeA, "https://id.example/i/" + codeB
	vct          = "https://id.example/types/driving-licence/1"
	imageURI     = "https://id.example/types/driving-licence/1/card.svg"
	listURI      = "https://id.example/status/drv-2027q1"
)

func newKey(t testing.TB) Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Key: k}
}

func one(s ...Signer) RoleKeys { return RoleKeys{Signers: s} }

func newKeys(t testing.TB) Keys {
	return Keys{
		Root: one(newKey(t)), Timestamp: one(newKey(t)), Snapshot: one(newKey(t)), Targets: one(newKey(t)), Status: one(newKey(t)),
		Issuers: map[string]RoleKeys{codeA: one(newKey(t)), codeB: one(newKey(t))},
	}
}

func sampleInput() Input {
	return Input{
		Anchors: []Anchor{{Purpose: "iaca", DER: []byte("root of mdocs")}, {Purpose: "root", DER: []byte("root certificate")}},
		Issuers: []Issuer{
			{ID: idA, Code: codeA, Name: map[string]string{"zh": "沙箱省公安厅交通管理局", "en": "Traffic Police"},
				Certificates: [][]byte{[]byte("certificate A")},
				Authorised:   []Authorisation{{VCT: vct, DocType: "org.iso.18013.5.1.mDL", Region: "44", From: t0.AddDate(-1, 0, 0)}}},
			{ID: idB, Code: codeB, Name: map[string]string{"zh": "沙箱省市场监督管理局"}},
		},
		Types:       map[string][]byte{vct: []byte(`{"vct":"` + vct + `"}`)},
		StatusLists: map[string]string{listURI: "aaa.bbb.ccc"},
		CWTLists:    map[string][]byte{listURI: []byte("\xd2\x84")},
		Images:      map[string][]byte{imageURI: []byte("<svg/>")},
		Policy:      Policy{StatusMaxAge: map[string]time.Duration{vct: 24 * time.Hour}},
	}
}

func mustBuild(t testing.TB, prev Files, in Input, keys Keys, at time.Time) Files {
	t.Helper()
	f, err := Build(prev, in, keys, Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rootOf(t testing.TB, f Files) []byte {
	t.Helper()
	_, raw, ok := f.NewestRoot()
	if !ok {
		t.Fatal("no root")
	}
	return raw
}

func pack(t testing.TB, f Files) []byte {
	t.Helper()
	b, err := Archive(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustVerify(t testing.TB, root []byte, f Files, at time.Time) *Contents {
	t.Helper()
	c, err := Verify(root, pack(t, f), at)
	if err != nil {
		t.Fatalf("verifying a good bundle: %v", err)
	}
	return c
}

func TestBuildVerifyRoundTrip(t *testing.T) {
	in := sampleInput()
	files := mustBuild(t, nil, in, newKeys(t), t0)
	c := mustVerify(t, rootOf(t, files), files, t0)
	if c.Version != 1 || c.RootVersion != 1 || !c.AsOf.Equal(t0) || !c.Expires.Equal(t0.Add(7*24*time.Hour)) {
		t.Errorf("version %d, root %d, as of %s, expires %s", c.Version, c.RootVersion, c.AsOf, c.Expires)
	}
	// Issuers come in the order of their codes.
	want := []Issuer{in.Issuers[1], in.Issuers[0]}
	if d := cmp.Diff(want, c.Issuers); d != "" {
		t.Errorf("issuers differ:\n%s", d)
	}
	if d := cmp.Diff(in.Anchors, c.Anchors); d != "" {
		t.Errorf("anchors differ:\n%s", d)
	}
	if d := cmp.Diff(in.StatusLists, c.StatusLists); d != "" {
		t.Errorf("status lists differ:\n%s", d)
	}
	if d := cmp.Diff(in.CWTLists, c.CWTLists); d != "" {
		t.Errorf("status lists as CWT differ:\n%s", d)
	}
	if img := c.Images[imageURI]; !bytes.Equal(img.Raw, in.Images[imageURI]) || img.Integrity != "sha256-"+base64.StdEncoding.EncodeToString(digest(img.Raw)) {
		t.Errorf("images: %+v", c.Images)
	}
	if d := cmp.Diff(in.Policy, c.Policy); d != "" {
		t.Errorf("policy differs:\n%s", d)
	}
	if !bytes.Equal(c.Types[vct].Raw, in.Types[vct]) || c.Types[vct].Integrity == "" {
		t.Errorf("type metadata: %+v", c.Types)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	keys := newKeys(t)
	a, b := pack(t, mustBuild(t, nil, sampleInput(), keys, t0)), pack(t, mustBuild(t, nil, sampleInput(), keys, t0))
	if !bytes.Equal(a, b) {
		t.Error("two builds of one input differ")
	}
	c := pack(t, mustBuild(t, nil, sampleInput(), keys, t0.Add(time.Second)))
	if bytes.Equal(a, c) {
		t.Error("another time gave the same bytes")
	}
}

func TestRebuildKeepsWhatDidNotChange(t *testing.T) {
	keys, in := newKeys(t), sampleInput()
	first := mustBuild(t, nil, in, keys, t0)
	in.StatusLists = map[string]string{listURI: "aaa.bbb.ddd"}
	second := mustBuild(t, first, in, keys, t0.Add(time.Minute))
	c := mustVerify(t, rootOf(t, first), second, t0.Add(time.Minute))
	want := map[string]int64{"root": 1, "timestamp": 2, "snapshot": 2, "targets": 1, "status": 2, "status-cwt": 1,
		RoleIssuer(codeA): 1, RoleIssuer(codeB): 1}
	if d := cmp.Diff(want, c.Roles); d != "" {
		t.Errorf("versions:\n%s", d)
	}
	if c.StatusLists[listURI] != "aaa.bbb.ddd" {
		t.Errorf("status list %q", c.StatusLists[listURI])
	}
	third := mustBuild(t, second, in, keys, t0.Add(2*time.Minute))
	if c := mustVerify(t, rootOf(t, first), third, t0.Add(2*time.Minute)); c.Roles["snapshot"] != 2 || c.Version != 3 {
		t.Errorf("nothing changed: snapshot %d, timestamp %d", c.Roles["snapshot"], c.Version)
	}
}

func TestWrongRootIsRefused(t *testing.T) {
	files := mustBuild(t, nil, sampleInput(), newKeys(t), t0)
	other := rootOf(t, mustBuild(t, nil, sampleInput(), newKeys(t), t0))
	if _, err := Verify(other, pack(t, files), t0); !errors.Is(err, ErrUntrusted) {
		t.Errorf("another root: %v", err)
	}
	for name, bad := range map[string][]byte{"empty": nil, "junk": []byte("junk"), "null keys": []byte(`{"signed":{"_type":"root","keys":{"a":null},"roles":{"root":{"keyids":["a"],"threshold":1}}},"signatures":[]}`)} {
		if _, err := Verify(bad, pack(t, files), t0); !errors.Is(err, ErrRoot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustVerify(t, rootOf(t, files), files, t0)
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
