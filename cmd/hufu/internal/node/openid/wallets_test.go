package openid_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/openid"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attestation/attesttest"
)

func TestWalletProviders(t *testing.T) {
	dir := t.TempDir()
	p := attesttest.New(t, time.Now())
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Raw})
	anchors := write("root.pem", root)
	empty, broken := write("empty.pem", nil), write("broken.pem", append(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})...))
	pub, err := p.Signer.Public()
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.JWK{pub})
	if err != nil {
		t.Fatal(err)
	}
	keys := write("keys.json", set)
	good := openid.WalletProvider{Name: "a", AnchorsFile: anchors, KeyAnchorsFile: anchors}
	for name, c := range map[string]struct {
		change func(*openid.WalletProvider)
		want   string
	}{
		"twin":                       {func(*openid.WalletProvider) {}, ""},
		"current":                    {func(w *openid.WalletProvider) { w.Profile = "current" }, ""},
		"keys of current":            {func(w *openid.WalletProvider) { w.Profile, w.AnchorsFile, w.KeysFile = "current", "", keys }, ""},
		"keys alone are not of HAIP": {func(w *openid.WalletProvider) { w.AnchorsFile, w.KeysFile = "", keys }, "anchors_file"},
		"no name":                    {func(w *openid.WalletProvider) { w.Name = "" }, "name"},
		"unknown profile":            {func(w *openid.WalletProvider) { w.Profile = "draft-3" }, "draft-3"},
		"no anchors":                 {func(w *openid.WalletProvider) { w.AnchorsFile = "" }, "anchors_file"},
		"no such file":               {func(w *openid.WalletProvider) { w.AnchorsFile = dir + "/none" }, "none"},
		"an empty file":              {func(w *openid.WalletProvider) { w.AnchorsFile = empty }, "no certificate"},
		"half a file":                {func(w *openid.WalletProvider) { w.AnchorsFile = broken }, "broken.pem"},
		"half a file of key anchors": {func(w *openid.WalletProvider) { w.KeyAnchorsFile = broken }, "broken.pem"},
		"challenge required":         {func(w *openid.WalletProvider) { w.Challenge = "required" }, ""},
		"challenge maybe":            {func(w *openid.WalletProvider) { w.Challenge = "maybe" }, "maybe"},
	} {
		w := good
		c.change(&w)
		cfg := openid.Config{Wallets: []openid.WalletProvider{w}}
		var problems []string
		cfg.Check(func(format string, args ...any) {
			for _, a := range args {
				problems = append(problems, a.(error).Error())
			}
		})
		if got := strings.Join(problems, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if c.want != "" {
			continue
		}
		out, err := cfg.Providers()
		if err != nil || len(out) != 1 || out[0].Profile.RequireChallenge != (w.Challenge == "required" || w.Profile == "current") {
			t.Errorf("%s: %+v %v", name, out, err)
		}
	}
	if _, err := (openid.Config{Wallets: []openid.WalletProvider{good, good}}).Providers(); err == nil {
		t.Error("one provider twice")
	}
}

// An anchor that is taken out of the file is out with the next reading; a file that can't be read changes nothing.
func TestAnchorsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "root.pem")
	p, q := attesttest.New(t, time.Now()), attesttest.New(t, time.Now())
	put := func(b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var trusted []attestation.Provider
	cfg := openid.Config{Wallets: []openid.WalletProvider{{Name: "a", AnchorsFile: file}}}
	renew := cfg.Renew(func(list []attestation.Provider) { trusted = list })
	for _, root := range [][]byte{p.Root.Raw, q.Root.Raw} {
		put(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))
		if err := renew(t.Context()); err != nil || len(trusted) != 1 || string(trusted[0].Anchors[0].Raw) != string(root) {
			t.Fatalf("%v %v", trusted, err)
		}
	}
	put([]byte("junk"))
	if err := renew(t.Context()); err == nil || string(trusted[0].Anchors[0].Raw) != string(q.Root.Raw) {
		t.Errorf("junk: %v", err)
	}
}
