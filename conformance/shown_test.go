//go:build conformance

package conformance

import (
	"encoding/json"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

// presentation is what the hosted wallet showed, and what it must be.
type presentation struct {
	Name     string   `json:"name"`
	Text     string   `json:"text"`
	Nonce    string   `json:"nonce"`
	Audience string   `json:"audience"`
	Shown    []string `json:"shown"`
}

// TestForeignVerifierReadsTheHostedWallet: npm @sd-jwt/sd-jwt-vc with key binding verifies what a person shows from the wallet on the national server: to a
// counter that asked, and for a purpose without being asked.
func TestForeignVerifierReadsTheHostedWallet(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		b := apptest.NewBrowser(t)
		b.Get(app.Ready.WalletURL).LogIn(app.Person("li-xiuying"))
		if page := b.Get(app.Ready.WalletURL); page.Has("take-driving-licence") {
			page.Click("take-driving-licence")
		}
		counter := b.Get(app.Ready.Departments[1].CounterURL + "?request=hotel")
		asked := b.Get(counter.Attr("counter-ask", "href")).Click("show-confirm")
		unasked := b.Get(app.Ready.WalletURL).Click("show-driving-licence").Click("show-confirm")
		script(t, "shown.mjs", map[string]any{"anchor": newDesk(t, app).anchor(), "presentations": []presentation{
			{Name: "asked", Text: asked.TextOf("shown-presentation"), Nonce: counter.TextOf("counter-nonce"), Audience: counter.TextOf("counter-audience"),
				Shown: []string{"birth_date", "id_number", "name", "nationality", "sex", "valid_to", "vehicle_classes"}},
			{Name: "unasked", Text: unasked.TextOf("shown-presentation"), Audience: app.Ready.Issuer + "/purposes/driving-check",
				Shown: []string{"issuing_authority", "name", "portrait", "sex", "valid_from", "valid_to", "vehicle_classes"}},
		}}, func(json.RawMessage) any { return nil })
	})
}
