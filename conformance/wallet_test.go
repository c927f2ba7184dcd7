//go:build conformance

package conformance

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/signing/bundle"
)

// TestForeignWalletTakesTheLicence: npm @openid4vc/openid4vci and @sd-jwt/sd-jwt-vc take the driving licence by both flows, verify, present, and see it
// revoked; hufu verify judges what they present.
func TestForeignWalletTakesTheLicence(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		person, desk := newPerson(t, app), newDesk(t, app)
		mirrored := filepath.Join(t.TempDir(), "mirror")
		version := mirror(t, app, mirrored, 1, "anchors", "authorities", "issuers", "types")
		script(t, "wallet.mjs", map[string]any{
			"issuer": app.Ready.Issuer, "credential_issuer": app.Ready.CredentialIssuers[0], "wallet_client_id": app.Ready.WalletClientID,
			"redirect_uri": redirectURI(t), "anchor": desk.anchor(), "counter": app.Ready.Departments[0].CounterURL,
		}, func(request json.RawMessage) any {
			if answer, mine := desk.do(request); mine {
				return answer
			}
			return person.do(request)
		})
		t.Run("tuf updates its mirror", func(t *testing.T) {
			mirror(t, app, mirrored, version+1, "anchors", "authorities", "issuers", "types", "status")
		})
		t.Run("hufu verify is offline", func(t *testing.T) { offline(t, desk, desk.shown) })
	})
}

// desk is the department's clerk and the verifier at the counter.
type desk struct {
	t         *testing.T
	app       *apptest.App
	dir       string
	root      string
	bundle    string // newest
	oldBundle string // from before the revocation
	shown     shown  // what was valid before the revocation
}

func newDesk(t *testing.T, app *apptest.App) *desk {
	d := &desk{t: t, app: app, dir: t.TempDir()}
	d.root = d.download(app.Ready.RootURL, "root.json")
	return d
}

func (d *desk) download(address, name string) string {
	d.t.Helper()
	res, err := http.Get(address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %d %v", address, res.StatusCode, err)
	}
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// anchor is the national root's certificate from the bundle, as a verifier of others would be given it.
func (d *desk) anchor() string {
	d.t.Helper()
	root, err := os.ReadFile(d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	archive, err := os.ReadFile(d.download(d.app.Ready.BundleURL, "first.zip"))
	if err != nil {
		d.t.Fatal(err)
	}
	contents, err := bundle.Verify(root, archive, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, a := range contents.Anchors {
		if a.Purpose == "root" {
			return base64.StdEncoding.EncodeToString(a.DER)
		}
	}
	d.t.Fatal("no root certificate in the bundle")
	return ""
}

// shown is a presentation with the challenge that it answers.
type shown struct {
	Presentation, Nonce, Audience string
}

// do makes an offer, revokes a licence or judges a presentation.
func (d *desk) do(request json.RawMessage) (answer any, mine bool) {
	d.t.Helper()
	var r struct {
		Offer, Revoke string
		Verify        *shown
		Fresh, Old    bool
	}
	if err := json.Unmarshal(request, &r); err != nil {
		d.t.Fatal(err)
	}
	switch {
	case r.Offer != "":
		return d.licence("offer", "--person", r.Offer, "--type", "driving-licence"), true
	case r.Revoke != "":
		list := d.licence("list", "--person", r.Revoke, "--type", "driving-licence")
		id := list["licences"].([]any)[0].(map[string]any)["id"].(string)
		d.oldBundle = d.bundle
		return d.licence("status", id, "revoke", "--reason", "违法记满十二分后未参加学习"), true
	case r.Verify != nil:
		switch {
		case r.Old:
			return d.judge(d.oldBundle, *r.Verify), true
		case r.Fresh:
			return d.judgeUntil(*r.Verify, "invalid"), true
		}
		if d.shown.Nonce == "" {
			d.shown = *r.Verify
		}
		return d.judgeUntil(*r.Verify, ""), true
	}
	return nil, false
}

// licence runs `hufu licence` as the department that issues.
func (d *desk) licence(args ...string) map[string]any {
	d.t.Helper()
	args = append([]string{"licence"}, args...)
	args = append(args, "--as", d.app.Ready.Departments[0].KeyFile, "--url", d.app.Ready.Issuer, "--json")
	var out map[string]any
	apptest.Run(d.t, args...).JSON(d.t, &out)
	return out
}

// verdict is what `hufu verify --json` said.
type verdict struct {
	Code    int             `json:"code"`
	Verdict json.RawMessage `json:"verdict"`
}

func (d *desk) judge(bundleFile string, s shown) verdict {
	d.t.Helper()
	file := filepath.Join(d.dir, "presentation")
	if err := os.WriteFile(file, []byte(s.Presentation), 0o600); err != nil {
		d.t.Fatal(err)
	}
	r := apptest.Run(d.t, "verify", "--json", "--root", d.root, "--bundle", bundleFile, "--nonce", s.Nonce, "--audience", s.Audience, file)
	if !json.Valid([]byte(r.Stdout)) {
		d.t.Fatalf("hufu verify: %+v", r)
	}
	return verdict{r.Code, json.RawMessage(r.Stdout)}
}

// judgeUntil judges with the newest bundle until the verdict is the one wanted (any definite one for ""), for at most ten seconds: the bundle
// follows status lists, which follow the register.
func (d *desk) judgeUntil(s shown, want string) verdict {
	d.t.Helper()
	for begin := time.Now(); ; time.Sleep(300 * time.Millisecond) {
		d.bundle = d.download(d.app.Ready.BundleURL, "bundle-"+time.Now().Format("150405.000")+".zip")
		v := d.judge(d.bundle, s)
		var got struct{ Verdict string }
		_ = json.Unmarshal(v.Verdict, &got)
		if got.Verdict == want || want == "" && got.Verdict != "cannot_tell" || time.Since(begin) > 10*time.Second {
			return v
		}
	}
}
