//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// TestBrowserStandsAtTheCounter: Chromium as the clerk of a department; the sample wallet shows what is asked for.
func TestBrowserStandsAtTheCounter(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed (Debian package chromium): ", err)
	}
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		desk := newDesk(t, app)
		offer := desk.licence("offer", "--person", "li-xiuying", "--type", "driving-licence")
		w := wallet.New(wallet.Options{ClientID: app.Ready.WalletClientID, RedirectURI: "http://localhost/callback"})
		credential, err := w.TakeOffer(context.Background(), offer["offer_uri"].(string), offer["tx_code"].(string))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // the counter's copy of the bundle follows within two
		shots := ""
		if filepath.Base(t.Name()) == "sqlite" {
			shots = os.Getenv("HUFU_SHOTS")
		}
		script(t, "counter.mjs", map[string]any{
			"issuer": app.Ready.Issuer, "counter": app.Ready.Departments[0].CounterURL, "chromium": chromium, "shots": shots,
		}, func(request json.RawMessage) any {
			var r struct {
				Present struct{ Nonce, Audience string }
			}
			if err := json.Unmarshal(request, &r); err != nil {
				t.Fatal(err)
			}
			text, err := credential.PresentOnly(r.Present.Audience, r.Present.Nonce, time.Now(), sdjwt.P("name"), sdjwt.P("sex"), sdjwt.P("valid_from"))
			if err != nil {
				t.Fatal(err)
			}
			return map[string]string{"presentation": text}
		})
	})
}
