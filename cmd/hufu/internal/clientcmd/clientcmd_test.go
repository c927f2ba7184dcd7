package clientcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/web"
)

// desk is an operator's desk: a configuration, a database, files.
type desk struct {
	t     *testing.T
	dir   string
	store *oidcstore.Store
}

const (
	head = "  - id: service\n    name: {zh: 市场监管, en: Market regulation}\n    organisation: 1199440000TRY0011H\n"
	rest = "    grant_types: [authorization_code]\n    scopes: [openid, profile]\n"
	good = head + "    auth_method: client_secret_basic\n    redirect_uris: [https://service.example/cb]\n" + rest
)

func newDesk(t *testing.T, db *sqlstore.DB, dsn, extra string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), store: oidcstore.New(db, nil)}
	d.write("hufu.yaml", "origin: https://id.example\ndatabase: "+dsn+"\nkek_file: kek\n"+extra)
	return d
}

func each(t *testing.T, extra string, do func(t *testing.T, d *desk)) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			do(t, newDesk(t, sqltest.Open(t, dsn), dsn, extra))
		})
	}
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) clients(text string) string {
	d.write("clients.yaml", "clients:\n"+text)
	return d.path("clients.yaml")
}

// run runs a command and returns its exit code and everything that it says.
func (d *desk) run(args ...string) (int, string) {
	d.t.Helper()
	var out bytes.Buffer
	cmd := NewCommand()
	cmd.SetArgs(append(args, "--config", d.path("hufu.yaml")))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(context.Background())
	var exit *deptclient.ExitError
	switch {
	case errors.As(err, &exit):
		if exit.Err != nil {
			out.WriteString(exit.Err.Error())
		}
		return exit.Code, out.String()
	case err != nil:
		return 1, out.String() + err.Error()
	}
	return 0, out.String()
}

func (d *desk) want(code int, parts []string, args ...string) string {
	d.t.Helper()
	got, out := d.run(args...)
	if got != code {
		d.t.Fatalf("%v: exit %d, want %d\n%s", args, got, code, out)
	}
	for _, p := range parts {
		if !strings.Contains(out, p) {
			d.t.Fatalf("%v: %q is missing\n%s", args, p, out)
		}
	}
	return out
}

func (d *desk) authenticates(id, secret string, at time.Time) bool {
	d.t.Helper()
	now := func() time.Time { return at }
	a := client.Authenticator{Registry: client.NewRegistry(d.store, now), Issuer: "https://id.example", Now: now}
	_, err := a.Authenticate(httptest.NewRequest("POST", "/token", nil), url.Values{"client_id": {id}, "client_secret": {secret}})
	return err == nil
}

// secretOf reads the secret that a command printed.
func secretOf(t *testing.T, out string) string {
	t.Helper()
	for _, word := range strings.Fields(out) {
		if len(word) == 43 {
			return word
		}
	}
	t.Fatalf("no secret in:\n%s", out)
	return ""
}

func TestPlanThenApply(t *testing.T) {
	each(t, "", func(t *testing.T, d *desk) {
		file := d.clients(good)
		out := d.want(2, []string{"+ service: new", `redirect_uris: ["https://service.example/cb"]`, "secret: another one", "Nothing was changed"}, "plan", file)
		number := strings.Fields(out[strings.Index(out, "Plan "):])[1]
		if _, _, err := d.store.ClientVersion(context.Background(), "service"); !errors.Is(err, client.ErrUnknown) {
			t.Fatal("a plan changed something")
		}
		d.want(2, []string{"Nothing was changed"}, "apply", file)
		out = d.want(0, []string{"Done.", "Secret of service"}, "apply", "--yes", "--plan", strings.TrimSuffix(number, "."), file)
		secret := secretOf(t, out)
		if !d.authenticates("service", secret, time.Now()) {
			t.Error("the printed secret is not good")
		}
		d.want(0, []string{"= service: no change", "Nothing to change."}, "plan", file)

		file = d.clients(strings.Replace(good, "cb]", "cb2]", 1) + "    logo_uri: https://service.example/logo.png\n    default_max_age: 0\n    profile: core\n")
		out = d.want(2, []string{"~ service: changed", `redirect_uris: ["https://service.example/cb"] -> ["https://service.example/cb2"]`, `logo_uri: "https://service.example/logo.png"`,
			"default_max_age: 0", `profile: "core"`}, "plan", file)
		if strings.Contains(out, "secret") {
			t.Errorf("the secret stays:\n%s", out)
		}
		d.want(0, nil, "apply", "--yes", file)
		if !d.authenticates("service", secret, time.Now()) {
			t.Error("the secret did not stay")
		}
	})
}

func TestApplyRefusesWhatIsNotThePlan(t *testing.T) {
	each(t, "", func(t *testing.T, d *desk) {
		file := d.clients(good)
		d.want(0, nil, "apply", "--yes", file)
		file = d.clients(strings.Replace(good, "cb]", "cb2]", 1))
		out := d.want(2, nil, "plan", file)
		number := strings.TrimSuffix(strings.Fields(out[strings.Index(out, "Plan "):])[1], ".")
		d.want(0, nil, "rotate-secret", "service", "--yes") // somebody else changes the row
		d.want(2, []string{"not what the plan said"}, "apply", "--yes", "--plan", number, file)
		if c, err := d.store.Client(context.Background(), "service"); err != nil || c.RedirectURIs[0] != "https://service.example/cb" {
			t.Errorf("%+v %v", c, err)
		}
		d.want(0, nil, "apply", "--yes", file) // the twin: as it is now

		// The row changes between the plan and the writing of one run: all or nothing.
		r := room{store: d.store, now: time.Now}
		parsed, err := readFile(d.clients(good + strings.ReplaceAll(good, "id: service", "id: second")))
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.plan(context.Background(), parsed)
		if err != nil || p.changes() != 2 {
			t.Fatal(p, err)
		}
		d.want(0, nil, "rotate-secret", "service", "--yes")
		if err := r.apply(context.Background(), p); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("applied: %v", err)
		}
		if _, err := d.store.Client(context.Background(), "second"); !errors.Is(err, client.ErrUnknown) {
			t.Error("half of the plan was done")
		}
	})
}

func TestRotateSecretWithOverlap(t *testing.T) {
	each(t, "", func(t *testing.T, d *desk) {
		old := secretOf(t, d.want(0, nil, "apply", "--yes", d.clients(good)))
		d.want(0, []string{"Nothing was changed"}, "rotate-secret", "service")
		next := secretOf(t, d.want(0, []string{"not shown again"}, "rotate-secret", "service", "--overlap", "2h", "--yes"))
		now := time.Now()
		for name, c := range map[string]struct {
			secret string
			at     time.Time
			good   bool
		}{
			"new": {next, now, true}, "old within the overlap": {old, now.Add(time.Hour), true}, "old after it": {old, now.Add(3 * time.Hour), false}, "new after it": {next, now.Add(3 * time.Hour), true},
		} {
			if got := d.authenticates("service", c.secret, c.at); got != c.good {
				t.Errorf("%s: %v", name, got)
			}
		}
		d.want(0, []string{"two secrets until"}, "list")
		stolen := secretOf(t, d.want(0, []string{"would end now"}, "rotate-secret", "service", "--overlap", "0s", "--yes"))
		if d.authenticates("service", next, now) || d.authenticates("service", old, now) || !d.authenticates("service", stolen, now) {
			t.Error("without an overlap only the new secret is good")
		}
		d.want(1, []string{"no client"}, "rotate-secret", "nobody", "--yes")
		d.want(1, []string{"--overlap"}, "rotate-secret", "service", "--overlap", "10000h", "--yes")
	})
}

func TestF07FilesThatAreRefused(t *testing.T) {
	dsn := sqltest.DSN(t, sqlstore.SQLite)
	db := sqltest.Open(t, dsn)
	d := newDesk(t, db, dsn, "")
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.JWK{public})
	if err != nil {
		t.Fatal(err)
	}
	d.write("keys.json", string(set))
	machine := func(id, scope string) string {
		return "  - {id: " + id + ", name: {zh: a, en: a}, auth_method: private_key_jwt, organisation: 1199440000TRY0011H, jwks_file: " + d.path("keys.json") + ", grant_types: [client_credentials], scopes: [" + scope + "]}\n"
	}
	d.want(2, nil, "plan", d.clients(good)) // the twin of all
	for name, c := range map[string]struct {
		file, says string
		code       int
	}{
		"F07 require_pkce false": {good + "    require_pkce: false\n", "require_pkce: false is refused", 2},
		"F07 require_pkce true":  {good + "    require_pkce: true\n", "profile: national or fapi2", 2},
		"unknown key":            {good + "    require_pcke: false\n", "unknown field", 1},
		"wrong type":             {good + "    default_max_age: soon\n", "default_max_age", 1},
		"redirect":               {strings.Replace(good, "https", "http", 1), "http only on loopback", 2},
		"twice":                  {good + good, "it is there twice", 2},
		"short secret":           {good + "    secret_file: " + d.path("short") + "\n", "256 random bits", 2},
		"secret of a key client": {strings.Replace(machine("m", "register"), "scopes", "secret_file: x, scopes", 1), "does not go with", 2},
		"profile and method":     {good + "    profile: fapi2\n", "does not allow client_secret_basic", 2},
		"two people, one key":    {machine("p1", "seal") + machine("p2", "seal"), "have one key", 2},
		"key of somebody else":   {"  - {id: p, auth_method: private_key_jwt, organisation: 1199440000TRY0011H, jwks_uri: 'https://p.example/', grant_types: [client_credentials], scopes: [seal]}\n", "not behind a jwks_uri", 2},
		"no clients":             {"", "no clients in it", 1},
	} {
		d.write("short", "hunter2")
		d.want(c.code, []string{c.says}, "apply", "--yes", d.clients(c.file))
		if all, err := d.store.Clients(context.Background(), "", 10); err != nil || len(all) > 0 {
			t.Errorf("%s: something was registered: %v %v", name, all, err)
		}
	}
	// One of the two people is in the database already.
	d.want(0, nil, "apply", "--yes", d.clients(machine("p1", "seal")))
	d.want(2, []string{"have one key"}, "plan", d.clients(machine("p2", "seal")))
	d.want(2, []string{"+ p2"}, "plan", d.clients(machine("p2", "register")))

	// Clients of the configuration and clients that registered themselves are changed elsewhere.
	self := client.Client{ID: "dyn-1", AuthMethod: client.SecretBasic, SecretHash: client.HashSecret("s"), GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"},
		RedirectURIs: []string{"https://service.example/cb"}, Registration: client.Registration{Dynamic: true, RegisteredAt: time.Now()}, Name: web.Plain("\u202eevil\u001b[2J")}
	if err := d.store.PutClient(context.Background(), self); err != nil {
		t.Fatal(err)
	}
	d.want(2, []string{"registered itself"}, "plan", d.clients(strings.Replace(good, "id: service", "id: dyn-1", 1)))
	out := d.want(0, []string{"registered itself, never used", "evil"}, "list")
	if strings.ContainsAny(out, "\u202e\u001b") {
		t.Error("a name steers the terminal")
	}
	var listed struct{ Clients []map[string]any }
	if err := json.Unmarshal([]byte(d.want(0, nil, "list", "--json")), &listed); err != nil || len(listed.Clients) != 2 || listed.Clients[0]["secret_hash"] != nil {
		t.Errorf("%v %v", listed, err)
	}
	d.write("secret", strings.Repeat("x", 43))
	d.write("hufu.yaml", "origin: https://id.example\ndatabase: "+dsn+"\nkek_file: kek\nclients:\n"+good+"    secret_file: "+d.path("secret")+"\n")
	d.want(2, []string{"in the server's configuration"}, "plan", d.clients(good))
}

func TestInitialToken(t *testing.T) {
	each(t, "client_registration: {mode: token, scopes: [openid, profile]}\n", func(t *testing.T, d *desk) {
		ctx := context.Background()
		token := secretOf(t, d.want(0, []string{"Good for 2 clients"}, "initial-token", "--uses", "2", "--expires", "1h"))
		hash := client.HashSecret(token)
		for i, want := range []error{nil, nil, registration.ErrToken} {
			if err := d.store.UseInitialToken(ctx, hash, time.Now()); !errors.Is(err, want) {
				t.Errorf("use %d: %v", i, err)
			}
		}
		d.want(1, []string{"--uses"}, "initial-token", "--uses", "0")
		d.write("hufu.yaml", strings.Replace(read(t, d.path("hufu.yaml")), "mode: token", "mode: 'off'", 1))
		d.want(1, []string{"client_registration is off"}, "initial-token")
		d.write("hufu.yaml", strings.Replace(read(t, d.path("hufu.yaml")), "mode: 'off', scopes: [openid", "mode: token, scopes: [register", 1))
		d.want(1, []string{"scope register is for clients of the configuration only"}, "initial-token")
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
