//go:build conformance

package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/bundle"
)

// irmagoClient is how the wallet calls itself; the name is fixed in the library.
const irmagoClient = `clients:
  - id: yivi-wallet
    name: {zh: 别人的钱包, en: A wallet of others}
    service: {zh: 存放电子证照, en: Keep e-licences}
    auth_method: none
    redirect_uris: ["REDIRECT"]
    grant_types: [authorization_code, refresh_token]
    scopes: [openid, profile, phone, resident_id, offline_access, driving-licence] # the library asks for all that the server has
`

// TestIrmagoTakesTheLicence: irmago (Go, its own module), the library of the Yivi wallet, takes the driving licence by authorization code, verifies chain and status
// list, presents it, and sees it revoked; under another root it refuses.
//
// It runs on one engine: what differs between engines is not the wallet's to see, and its client must be registered in a running server's database.
func TestIrmagoTakesTheLicence(t *testing.T) {
	t.Parallel()
	dsn := sqltest.DSN(t, sqlstore.PostgreSQL)
	app := apptest.Start(t, apptest.Options{Database: dsn})
	redirect, dir := redirectURI(t), t.TempDir()
	for name, text := range map[string]string{"clients.yaml": strings.Replace(irmagoClient, "REDIRECT", redirect, 1),
		"hufu.yaml": "origin: " + app.Ready.Issuer + "\nlisten: 127.0.0.1:0\nkek_file: kek\ndatabase: " + dsn + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := apptest.Run(t, "client", "apply", "--yes", "--config", filepath.Join(dir, "hufu.yaml"), filepath.Join(dir, "clients.yaml")); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	person, desk := newPerson(t, app), newDesk(t, app)
	roots, between := desk.anchors()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, irmago(t))
	cmd.Env = append(os.Environ(), "HUFU_TEST="+string(mustJSON(t, map[string]any{"credential_issuer": app.Ready.CredentialIssuers[0], "redirect_uri": redirect, "person": "li-xiuying",
		"name": "李秀英", "vct": app.Ready.Issuer + "/types/driving-licence/2", "anchors": roots, "between": between, "strange": strangers(t), "dir": dir})))
	converse(t, cmd, func(request json.RawMessage) any {
		if answer, mine := desk.do(request); mine {
			return answer
		}
		return person.do(request)
	})
}

var irmagoOnce sync.Mutex

// irmago returns the built wallet. It is a module of its own, so that none of what it needs is ours.
func irmago(t *testing.T) string {
	t.Helper()
	irmagoOnce.Lock()
	defer irmagoOnce.Unlock()
	dir := filepath.Join("clients", "irmago")
	files := []string{filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"), filepath.Join(dir, "main.go")}
	return filepath.Join(cached(t, "irmago", files, func(out string) error {
		cmd := exec.Command("go", "build", "-o", filepath.Join(out, "irmago"), ".")
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		return cmd.Run()
	}), "irmago")
}

// anchors are the certificates of the bundle: roots, and what lies below them.
func (d *desk) anchors() (roots, between []string) {
	d.t.Helper()
	root, err := os.ReadFile(d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	archive, err := os.ReadFile(d.download(d.app.Ready.BundleURL, "anchors.zip"))
	if err != nil {
		d.t.Fatal(err)
	}
	contents, err := bundle.Verify(root, archive, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, a := range contents.Anchors {
		text := base64.StdEncoding.EncodeToString(a.DER)
		if a.Purpose == "root" {
			roots = append(roots, text)
			continue
		}
		between = append(between, text)
	}
	return roots, between
}

// strangers are another nation's root.
func strangers(t *testing.T) []string {
	t.Helper()
	c, err := keystest.New(t, time.Now).EnsureIntermediate(t.Context(), keys.KindCredential)
	if err != nil {
		t.Fatal(err)
	}
	return []string{base64.StdEncoding.EncodeToString(c.DER)}
}
