//go:build conformance

package conformance

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/mdoc"
)

// TestForeignWalletUsesTheWholeIssuer: npm @openid4vc/openid4vci takes batches in both formats, bound by DPoP, by both grants, by scope and by authorization_details, encrypted
// (jose), and notifies; @owf/mdoc and @auth0/mdl judge and present the mdoc.
func TestForeignWalletUsesTheWholeIssuer(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		person, desk := newPerson(t, app), newDesk(t, app)
		const nonce, audience = "n-mdoc", "https://verifier.example"
		script(t, "issuing.mjs", map[string]any{"credential_issuer": app.Ready.CredentialIssuers[0], "wallet_client_id": app.Ready.WalletClientID, "redirect_uri": redirectURI(t),
			"person": "li-xiuying", "iaca": desk.iaca()}, func(request json.RawMessage) any {
			var r struct{ Transcript bool }
			if err := json.Unmarshal(request, &r); err == nil && r.Transcript {
				transcript, err := mdoc.Challenge(nonce, audience)
				if err != nil {
					t.Fatal(err)
				}
				return map[string]any{"transcript": base64.RawURLEncoding.EncodeToString(transcript), "nonce": nonce, "audience": audience}
			}
			if answer, mine := desk.do(request); mine {
				return answer
			}
			return person.do(request)
		})
	})
}

// iaca are the roots of mdocs in the bundle.
func (d *desk) iaca() (out []string) {
	d.t.Helper()
	root, err := os.ReadFile(d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	archive, err := os.ReadFile(d.download(d.app.Ready.BundleURL, "iaca.zip"))
	if err != nil {
		d.t.Fatal(err)
	}
	contents, err := bundle.Verify(root, archive, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, a := range contents.Anchors {
		if a.Purpose == "iaca" {
			out = append(out, base64.StdEncoding.EncodeToString(a.DER))
		}
	}
	return out
}
