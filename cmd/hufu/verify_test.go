package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/statuslist"
)

func TestVerifyExitCodes(t *testing.T) {
	w := newFileWorld(t)
	w.write("junk.txt", []byte("junk"))
	w.write("junk.zip", []byte("junk"))
	w.write("empty.zip", nil)
	other := newFileWorld(t)
	w.write("other-root.json", other.Files["1.root.json"])
	archive, err := readLimited(nil, w.path("bundle.zip"), 1<<30)
	check(t, err)
	w.write("cut.zip", archive[:len(archive)/2])
	w.write("tampered.zip", tamper(t, w.Files))
	changed := []byte(w.licence)
	changed[len(changed)/2] ^= 1
	w.write("changed.txt", changed)
	week := w.now.Add(8 * 24 * time.Hour).UTC().Format(time.RFC3339)
	past := w.now.AddDate(-10, 0, 0).UTC().Format(time.RFC3339)
	trust := []string{"--root", "@root.json", "--bundle", "@bundle.zip"}
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"valid presentation":          {append(trust, "--nonce", "n-1", "--audience", "https://counter.example", "@presentation.txt"), 0, "VALID"},
		"valid document":              {append(trust, "--holder", "any", "@licence.txt"), 0, "VALID"},
		"from stdin":                  {append(trust, "--holder", "any", "-"), 0, "VALID"},
		"holder not proven":           {append(trust, "@licence.txt"), 3, "CANNOT TELL"},
		"wrong nonce":                 {append(trust, "--nonce", "n-2", "--audience", "https://counter.example", "@presentation.txt"), 2, "INVALID"},
		"changed document":            {append(trust, "--holder", "any", "@changed.txt"), 2, "INVALID"},
		"R07 junk document":           {append(trust, "--holder", "any", "@junk.txt"), 2, "INVALID"},
		"junk document without trust": {[]string{"@junk.txt"}, 2, "INVALID"},
		"no root":                     {[]string{"--bundle", "@bundle.zip", "--holder", "any", "@licence.txt"}, 3, "root of trust"},
		"no bundle":                   {[]string{"--root", "@root.json", "--holder", "any", "@licence.txt"}, 3, "No trust bundle"},
		"another root":                {[]string{"--root", "@other-root.json", "--bundle", "@bundle.zip", "--holder", "any", "@licence.txt"}, 3, "not signed by this root"},
		"root is junk":                {[]string{"--root", "@junk.txt", "--bundle", "@bundle.zip", "--holder", "any", "@licence.txt"}, 3, "root of trust can't be used"},
		"R07 bundle is junk":          {[]string{"--root", "@root.json", "--bundle", "@junk.zip", "--holder", "any", "@licence.txt"}, 3, "not a trust bundle"},
		"R07 bundle is empty":         {[]string{"--root", "@root.json", "--bundle", "@empty.zip", "--holder", "any", "@licence.txt"}, 3, "not a trust bundle"},
		"R07 bundle is cut":           {[]string{"--root", "@root.json", "--bundle", "@cut.zip", "--holder", "any", "@licence.txt"}, 3, "not a trust bundle"},
		"bundle is tampered with":     {[]string{"--root", "@root.json", "--bundle", "@tampered.zip", "--holder", "any", "@licence.txt"}, 3, "not signed by this root"},
		"R01 bundle expired":          {append(trust, "--holder", "any", "--at", week, "@licence.txt"), 3, "expired"},
		"R06 clock ten years back":    {append(trust, "--holder", "any", "--at", past, "@licence.txt"), 3, "clock"},
		"document can't be opened":    {append(trust, "--holder", "any", "@nowhere.txt"), 1, "nowhere.txt"},
		"document is a folder":        {append(trust, "--holder", "any", w.dir), 1, "directory"},
		"root can't be opened":        {[]string{"--root", "@nowhere", "--bundle", "@bundle.zip", "@licence.txt"}, 1, "nowhere"},
		"bundle can't be opened":      {[]string{"--root", "@root.json", "--bundle", "@nowhere", "@licence.txt"}, 1, "nowhere"},
		"nonce without audience":      {append(trust, "--nonce", "n-1", "@presentation.txt"), 1, "belong together"},
		"holder any and nonce":        {append(trust, "--holder", "any", "--nonce", "n", "--audience", "a", "@presentation.txt"), 1, "exclude"},
		"holder other":                {append(trust, "--holder", "me", "@presentation.txt"), 1, "any"},
		"bad time":                    {append(trust, "--at", "yesterday", "@licence.txt"), 1, "--at"},
		"bad language":                {append(trust, "--lang", "fr", "@licence.txt"), 1, "zh or en"},
		"no file":                     {trust, 1, "arg"},
		"unknown flag":                {append(trust, "--trust-me", "@licence.txt"), 1, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newVerifyCmd()
			cmd.SetIn(strings.NewReader(w.licence))
			args := append([]string{"--lang", "en"}, c.args...)
			code, stdout, stderr := w.hufu(cmd, args...)
			if code != c.want || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, c.want, c.says, stdout, stderr)
			}
		})
	}
}

// tamper packs the bundle with one changed name, as somebody without the keys could.
func tamper(t *testing.T, files bundle.Files) []byte {
	t.Helper()
	files, changed := maps.Clone(files), false
	for name, body := range files {
		if strings.HasPrefix(name, "targets/authorities/") {
			files[name], changed = bytes.Replace(body, []byte("traffic"), []byte("harbour"), 1), true
		}
	}
	b, err := bundle.Archive(files)
	check(t, err)
	if !changed {
		t.Fatal("nothing to tamper with")
	}
	return b
}

func TestVerifyJSONAndLanguages(t *testing.T) {
	w := newFileWorld(t)
	code, out, _ := w.hufu(newVerifyCmd(), "--root", "@root.json", "--bundle", "@bundle.zip", "--holder", "any", "--json", "@licence.txt")
	var v struct {
		Verdict string
		Checks  []struct{ Name, Result string }
		Bundle  struct{ Version int64 }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("not one line of JSON: %v\n%s", err, out)
	}
	if code != 0 || v.Verdict != "valid" || len(v.Checks) != 9 || v.Bundle.Version != 1 {
		t.Errorf("exit %d, %+v", code, v)
	}
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	_, zh, _ := w.hufu(newVerifyCmd(), "--root", "@root.json", "--bundle", "@bundle.zip", "--holder", "any", "@licence.txt")
	if !strings.Contains(zh, "有效") || !strings.Contains(zh, "沙箱省公安厅交通管理局") {
		t.Errorf("no Chinese with a Chinese environment:\n%s", zh)
	}
}

// An mdoc, as CBOR and as text, by the same command.
func TestVerifyMdoc(t *testing.T) {
	w := newFileWorld(t)
	issued := w.Mdoc(w.now, nil)
	shown := w.ShowMdoc(issued, "https://counter.example", "n-1")
	w.write("issued.cbor", issued)
	w.write("shown.cbor", shown)
	w.write("shown.txt", []byte(base64.RawURLEncoding.EncodeToString(shown)+"\n"))
	w.write("changed.cbor", bytes.Replace(shown, []byte("LI"), []byte("LU"), 1))
	trust := []string{"--root", "@root.json", "--bundle", "@bundle.zip"}
	ask := append(trust, "--nonce", "n-1", "--audience", "https://counter.example")
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"shown":            {append(ask, "--lang", "en", "@shown.cbor"), 0, "Family name in Latin letters LI"},
		"shown, Chinese":   {append(ask, "--lang", "zh", "@shown.cbor"), 0, "有效  VALID  机动车驾驶证"},
		"shown, as text":   {append(ask, "--json", "@shown.txt"), 0, `"claims":{"org.iso.18013.5.1":{"family_name":"LI"}},"not_disclosed":["portrait"`},
		"document alone":   {append(trust, "--holder", "any", "@issued.cbor"), 0, ""},
		"no proof":         {append(ask, "--lang", "en", "@issued.cbor"), 3, "who shows it is not proven"},
		"another nonce":    {append(trust, "--nonce", "n-2", "--audience", "https://counter.example", "@shown.cbor"), 2, ""},
		"another audience": {append(trust, "--nonce", "n-1", "--audience", "https://other.example", "@shown.cbor"), 2, ""},
		"Q16 changed":      {append(ask, "--json", "@changed.cbor"), 2, `"reason":"malformed"`},
	} {
		if code, out, errs := w.hufu(newVerifyCmd(), c.args...); code != c.want || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit %d, want %d and %q\n%s%s", name, code, c.want, c.says, out, errs)
		}
	}
}

// TestRevocationShowsWithTheNewBundleOnly (R11): each bundle says what it can, as of its time.
func TestRevocationShowsWithTheNewBundleOnly(t *testing.T) {
	w := newFileWorld(t)
	w.In.StatusLists[trusttest.List] = w.StatusList(w.now, statuslist.Entry{Index: trusttest.Index, Value: 1})
	w.publish("after.zip", w.now)
	verdict := func(bundle string) (int, string) {
		code, out, _ := w.hufu(newVerifyCmd(), "--lang", "en", "--root", "@root.json", "--bundle", bundle, "--holder", "any", "--json", "@licence.txt")
		return code, out
	}
	if code, out := verdict("@after.zip"); code != 2 || !strings.Contains(out, `"reason":"revoked"`) {
		t.Errorf("with the new bundle: exit %d\n%s", code, out)
	}
	if code, out := verdict("@bundle.zip"); code != 0 || !strings.Contains(out, `"as_of"`) {
		t.Errorf("with the old bundle: exit %d\n%s", code, out)
	}
}
