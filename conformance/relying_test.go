//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

// TestOpenIDClientAsABank: npm openid-client under the profile fapi2, and a department's API behind oidc/resource that it calls.
func TestOpenIDClientAsABank(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		bank := app.Ready.Clients[1]
		script(t, "fapi.mjs", map[string]any{
			"issuer": app.Ready.Issuer, "client_id": bank.ID, "key": keyOf(t, bank.KeyFile), "redirect_uri": redirectURI(t), "api": bank.Resources[0],
		}, newPerson(t, app).do)
	})
}

// TestOpenIDClientOnLoopback: npm openid-client as a public client that is registered nowhere: its address on loopback is its client id.
func TestOpenIDClientOnLoopback(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		id := strings.TrimSuffix(redirectURI(t), "/callback")
		script(t, "public.mjs", map[string]any{"issuer": app.Ready.Issuer, "client_id": id, "elsewhere": strings.TrimSuffix(redirectURI(t), "/callback")}, newPerson(t, app).do)
	})
}

// keyOf reads the private JWK of a key file.
func keyOf(t *testing.T, file string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Key json.RawMessage }
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f.Key
}

// TestOAuth4WebAPIRegistersAndLogsIn: npm oauth4webapi, as a client that registered itself for the profile fapi2.
func TestOAuth4WebAPIRegistersAndLogsIn(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		script(t, "oauth.mjs", map[string]any{"issuer": app.Ready.Issuer, "redirect_uri": redirectURI(t)}, newPerson(t, app).do)
	})
}

// TestNimbusRegistersAndLogsIn: the Nimbus SDK (Java), as a client that registered itself for the profile national.
func TestNimbusRegistersAndLogsIn(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		program(t, "nimbus", "Rely.java", map[string]any{"issuer": app.Ready.Issuer, "redirect_uri": redirectURI(t)}, newPerson(t, app).do)
	})
}

// program runs a Java program of clients/<name>, which talks as the scripts do.
func program(t *testing.T, name, file string, config any, do func(request json.RawMessage) any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-cp", filepath.Join(jars(t, name), "*"), filepath.Join("clients", name, file))
	cmd.Env = append(os.Environ(), "HUFU_TEST="+string(mustJSON(t, config)))
	converse(t, cmd, do)
}
