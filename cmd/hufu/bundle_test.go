package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/bundle"
)

// What a bundle says of mdocs: the root that other readers are given by hand, who may issue which document, lists as CWT, pictures.
func TestBundleShowsWhatMobileDocumentsNeed(t *testing.T) {
	w := newFileWorld(t)
	with := w.In.Anchors
	w.In.Anchors = slices.DeleteFunc(slices.Clone(with), func(a bundle.Anchor) bool { return a.Purpose == "iaca" })
	w.write("bundle.zip", w.Publish(w.now))
	code, out, _ := w.hufu(newBundleCmd(), "show", "--lang", "en", "--root", "@root.json", "@bundle.zip")
	if code != 0 || strings.Contains(out, "IACA") {
		t.Errorf("an IACA that isn't there: exit %d\n%s", code, out)
	}
	iaca := w.IACA.Cert.Raw
	w.In.Anchors = with
	w.In.CWTLists = map[string][]byte{trusttest.List: {0xd2}}
	w.In.Images = map[string][]byte{"https://id.example/card.svg": []byte("<svg/>")}
	w.write("second.zip", w.Publish(w.now))
	code, out, _ = w.hufu(newBundleCmd(), "show", "--lang", "en", "--root", "@root.json", "@second.zip")
	for _, want := range []string{"IACA), fingerprint SHA-256\n  " + bundle.Fingerprint(iaca), "mdoc=org.iso.18013.5.1.mDL", trusttest.List + "  CWT", "https://id.example/card.svg"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d: no %q in\n%s", code, want, out)
		}
	}
	code, out, _ = w.hufu(newBundleCmd(), "show", "--json", "--root", "@root.json", "@second.zip")
	var v bundleView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || len(v.IACA) != 1 || v.IACA[0] != bundle.Fingerprint(iaca) {
		t.Errorf("JSON: %v, exit %d, %+v", err, code, v)
	}
	_, out, _ = w.hufu(newBundleCmd(), "diff", "--json", "@bundle.zip", "@second.zip")
	for _, want := range []string{"status_list_cwt", "card.svg", "iaca " + bundle.Fingerprint(iaca)} {
		if !strings.Contains(out, want) {
			t.Errorf("diff: no %q in\n%s", want, out)
		}
	}
}

func TestBundleShow(t *testing.T) {
	w := newFileWorld(t)
	fingerprint := bundle.Fingerprint(w.Files["1.root.json"])
	code, out, _ := w.hufu(newBundleCmd(), "show", "--lang", "en", "--root", "@root.json", "@bundle.zip")
	for _, want := range []string{fingerprint, "Verified", trusttest.Code, "Sandbox traffic police", trusttest.VCT, trusttest.List, "version 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	code, out, _ = w.hufu(newBundleCmd(), "show", "--lang", "en", "@bundle.zip")
	if code != 0 || !strings.Contains(out, "NOT VERIFIED") || !strings.Contains(out, fingerprint) {
		t.Errorf("without root: exit %d\n%s", code, out)
	}
	late := w.now.Add(8 * 24 * time.Hour).UTC().Format(time.RFC3339)
	code, out, stderr := w.hufu(newBundleCmd(), "show", "--lang", "en", "--root", "@root.json", "--at", late, "@bundle.zip")
	if code != 3 || !strings.Contains(out, "past") || !strings.Contains(stderr, "expired") {
		t.Errorf("R01 expired: exit %d\n%s%s", code, out, stderr)
	}
	code, out, _ = w.hufu(newBundleCmd(), "show", "--json", "--root", "@root.json", "@bundle.zip")
	var v bundleView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Verified || v.Root.Fingerprint != fingerprint || len(v.Issuers) != 1 {
		t.Errorf("JSON: %v, exit %d, %+v", err, code, v)
	}
	w.write("junk", []byte("junk"))
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"junk": {[]string{"show", "@junk"}, 3}, "no such file": {[]string{"show", "@nowhere"}, 1}, "junk as root": {[]string{"show", "--root", "@junk", "@bundle.zip"}, 3},
		"no command": {nil, 1}, "no file": {[]string{"show"}, 1}, "bad language": {[]string{"show", "--lang", "fr", "@bundle.zip"}, 1},
	} {
		if code, _, stderr := w.hufu(newBundleCmd(), c.args...); code != c.want || stderr == "" {
			t.Errorf("%s: exit %d, want %d: %q", name, code, c.want, stderr)
		}
	}
}

func TestBundleDiff(t *testing.T) {
	w := newFileWorld(t)
	old := w.In.StatusLists[trusttest.List]
	w.In.StatusLists[trusttest.List] = w.StatusList(w.now)
	w.In.Issuers[0].Authorised = nil
	w.publish("after.zip", w.now)
	code, out, _ := w.hufu(newBundleCmd(), "diff", "--lang", "en", "--root", "@root.json", "@bundle.zip", "@after.zip")
	if code != 0 || !strings.Contains(out, "- issuer "+trusttest.Code+" may issue "+trusttest.VCT) || !strings.Contains(out, "~ status_list "+trusttest.List) || old == w.In.StatusLists[trusttest.List] {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, _ = w.hufu(newBundleCmd(), "diff", "--lang", "en", "@bundle.zip", "@bundle.zip")
	if code != 0 || !strings.Contains(out, "the same") {
		t.Errorf("of one bundle with itself: exit %d\n%s", code, out)
	}
}

func TestR02BundleInstallRefusesRollback(t *testing.T) {
	w := newFileWorld(t)
	first := w.Files
	install := func(file string, more ...string) (int, string) {
		args := append([]string{"install", "--lang", "en", "--dir", "@installed"}, more...)
		code, out, stderr := w.hufu(newBundleCmd(), append(args, file)...)
		return code, out + stderr
	}
	if code, out := install("@bundle.zip"); code != 1 {
		t.Errorf("without a root the first time: exit %d\n%s", code, out)
	}
	if code, out := install("@bundle.zip", "--root", "@root.json"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	w.In.Issuers[0].Authorised = nil
	w.publish("second.zip", w.now.Add(time.Second))
	w.Files = first // another second version, of the same keys
	w.In.Types = nil
	w.publish("fork.zip", w.now.Add(time.Second))
	if code, out := install("@second.zip"); code != 0 {
		t.Fatalf("a newer one by the remembered root: exit %d\n%s", code, out)
	}
	if code, _ := install("@second.zip"); code != 0 {
		t.Errorf("the same again: exit %d", code)
	}
	for _, bad := range []string{"@bundle.zip", "@fork.zip"} {
		if code, out := install(bad, "--root", "@root.json"); code != 3 || !strings.Contains(out, "older") {
			t.Errorf("%s: exit %d\n%s", bad, code, out)
		}
	}
	want, _ := os.ReadFile(w.path("second.zip"))
	if got, _ := os.ReadFile(w.path("installed/bundle.zip")); string(got) != string(want) {
		t.Error("a refused bundle replaced the installed one")
	}
	// --bundle judges that file alone, and notes that a newer one was seen.
	check(t, os.WriteFile(w.path("installed/old.zip"), mustRead(t, w.path("bundle.zip")), 0o600))
	_, out, _ := w.hufu(newVerifyCmd(), "--json", "--root", "@root.json", "--bundle", "@installed/old.zip", "--holder", "any", "@licence.txt")
	if !strings.Contains(out, "newer bundle") {
		t.Errorf("no note that a newer bundle was seen:\n%s", out)
	}
	check(t, os.WriteFile(w.path("installed/seen.json"), []byte("{"), 0o600))
	if code, _ := install("@second.zip"); code != 1 {
		t.Errorf("with a broken memory: exit %d", code)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	return b
}

func TestBundleExport(t *testing.T) {
	w := newFileWorld(t)
	serve := func(root, archive string) string {
		mux := http.NewServeMux()
		mux.HandleFunc("/bundle.zip", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, w.path(archive)) })
		mux.HandleFunc("/bundle/root.json", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, w.path(root)) })
		srv := httptest.NewServer(mux)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	other := newFileWorld(t)
	w.write("other.zip", mustRead(t, other.path("bundle.zip")))
	w.write("junk", []byte("junk"))
	good, foreign, junk := serve("root.json", "bundle.zip"), serve("root.json", "other.zip"), serve("root.json", "junk")
	for name, c := range map[string]struct {
		args    []string
		want    int
		says    string
		written bool
	}{
		"verified":            {[]string{"--url", good, "--root", "@root.json", "--root-out", "@root2.json"}, 0, "version 1", true},
		"address of the zip":  {[]string{"--url", good + "/bundle.zip", "--root", "@root.json"}, 0, "version 1", true},
		"first contact":       {[]string{"--url", good + "/", "--root-out", "@root2.json"}, 0, "Compare the fingerprint", true},
		"of another root":     {[]string{"--url", foreign, "--root", "@root.json"}, 3, "not signed by this root", false},
		"root of another one": {[]string{"--url", foreign, "--root-out", "@root3.json"}, 3, "not signed by this root", true},
		"junk":                {[]string{"--url", junk}, 3, "not a trust bundle", false},
		"nobody there":        {[]string{"--url", "http://127.0.0.1:1"}, 1, "127.0.0.1:1", false},
		"not a web address":   {[]string{"--url", "file:///etc/passwd"}, 1, "--url", false},
		"no address":          {nil, 1, "--url", false},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(w.path("out.zip"))
			code, out, stderr := w.hufu(newBundleCmd(), append([]string{"export", "--lang", "en", "--out", "@out.zip"}, c.args...)...)
			if code != c.want || !strings.Contains(out+stderr, c.says) {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, c.want, c.says, out, stderr)
			}
			if _, err := os.Stat(w.path("out.zip")); (err == nil) != c.written {
				t.Errorf("written: %v", err == nil)
			}
		})
	}
	if string(mustRead(t, w.path("root2.json"))) != string(w.Files["1.root.json"]) {
		t.Error("another root was written")
	}
	if _, err := os.Stat(w.path("root3.json")); err == nil {
		t.Error("a root that doesn't fit was written")
	}
}
