package walletcmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// shell runs hufu in one directory, against a running hufu dev.
type shell struct {
	t   *testing.T
	app *apptest.App
	dir string
}

func newShell(t *testing.T, o apptest.Options) *shell {
	return &shell{t, apptest.Start(t, o), t.TempDir()}
}

// hufu returns the exit code and what was said on both outputs.
func (s *shell) hufu(args ...string) (code int, out, said string) {
	s.t.Helper()
	cmd := exec.Command(apptest.Binary(s.t), args...)
	cmd.Dir = s.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// ok runs a command that must succeed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	code, out, said := s.hufu(args...)
	if code != 0 {
		s.t.Fatalf("hufu %v: %d %s%s", args, code, out, said)
	}
	return out
}

// refused runs a command that must end with code and say text.
func (s *shell) refused(code int, text string, args ...string) {
	s.t.Helper()
	got, out, said := s.hufu(args...)
	if got != code || !strings.Contains(said, text) {
		s.t.Errorf("hufu %v: %d %s%s, not %d and %q", args, got, out, said, code, text)
	}
}

func read[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

type offer struct {
	URI    string `json:"offer_uri"`
	Value  string `json:"offer_value_uri"`
	TxCode string `json:"tx_code"`
}

func (s *shell) offer() offer {
	s.t.Helper()
	return read[offer](s.t, s.ok("licence", "offer", "--person", "li-xiuying", "--type", "driving-licence", "--as", s.app.Ready.Departments[0].KeyFile, "--url", s.app.Ready.Issuer, "--json"))
}

type taken struct {
	Taken struct {
		ID                   string
		Format, Type, State  string
		Copies, Left         int
		Claims, Always_shown []string
	}
	File string
}

// verdict is what hufu verify says of a file, with a bundle that is new enough to know the copy's status list.
func (s *shell) verdict(file string, args ...string) (int, string) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		os.Remove(filepath.Join(s.dir, "b.zip"))
		os.Remove(filepath.Join(s.dir, "root.json"))
		s.ok("bundle", "export", "--url", s.app.Ready.Issuer, "--out", "b.zip", "--root-out", "root.json")
		code, out, _ := s.hufu(append([]string{"verify", "--root", "root.json", "--bundle", "b.zip", "--json", file}, args...)...)
		if code != 3 || time.Since(begin) > 10*time.Second {
			return code, out
		}
	}
}

func TestWalletAcceptsListsAndPresents(t *testing.T) {
	s := newShell(t, apptest.Options{})
	o := s.offer()
	s.refused(1, "needs a transaction code", "wallet", "accept", o.URI)
	wrong := "000000"
	if o.TxCode == wrong {
		wrong = "111111"
	}
	s.refused(2, "invalid_grant", "wallet", "accept", o.URI, "--tx-code", wrong)
	got := read[taken](t, s.ok("wallet", "accept", o.URI, "--tx-code", o.TxCode, "--json"))
	if got.Taken.State != "ready" || got.Taken.Left != 1 || got.Taken.Format != "dc+sd-jwt" {
		t.Fatalf("%+v", got)
	}
	s.refused(2, "invalid_grant", "wallet", "accept", o.Value, "--tx-code", o.TxCode) // taken

	challenge := []string{"--nonce", "n-1", "--audience", "https://verifier.example"}
	present := append([]string{"wallet", "present"}, challenge...)
	s.refused(1, "say what to show", present...)
	s.refused(1, `no claim "nmae"`, append(present, "--show", "nmae")...)
	s.ok(append(present, "--show", "name,valid_to", "--out", "shown.txt")...)
	s.refused(1, "nothing that can be shown", append(present, "--show", "name")...)
	s.refused(1, "shown already", append(present, got.Taken.ID, "--show", "name")...)
	if code, out := s.verdict("shown.txt", challenge...); code != 0 || !strings.Contains(out, "id_number") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := s.verdict("shown.txt", "--nonce", "n-2", "--audience", "https://verifier.example"); code != 2 {
		t.Errorf("another nonce: %d %s", code, out)
	}

	list := s.ok("wallet", "list")
	for _, want := range []string{got.Taken.ID, "every copy was shown", "SD-JWT VC", "1, 0 not shown yet"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	info, err := os.Stat(filepath.Join(s.dir, got.File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// The wallet reaches this machine only for offers that come from this machine; anything else is an address that somebody else chose.
func TestWalletRefusesAddressesOfThisMachineFromElsewhere(t *testing.T) {
	s := &shell{t: t, dir: t.TempDir()}
	s.refused(1, "the address is not allowed", "wallet", "accept", `openid-credential-offer://?credential_offer_uri=http%3A%2F%2F10.0.0.1%2Foffer`)
	s.refused(1, "the address is not allowed", "wallet", "accept", `openid-credential-offer://?credential_offer_uri=https%3A%2F%2F10.0.0.1%2Foffer`)
	s.refused(1, "did not answer", "wallet", "accept", `openid-credential-offer://?credential_offer_uri=http%3A%2F%2Flocalhost%3A1%2Foffer`)
	s.refused(1, "must be a link", "wallet", "accept", "driving-licence")
	s.refused(1, "holds no offer", "wallet", "accept", "openid-credential-offer://?x=1")
}

// background runs a command until it prints an address for a browser, and returns that and a function that waits for the end.
func (s *shell) background(args ...string) (address string, wait func() (int, string, string)) {
	s.t.Helper()
	cmd := exec.Command(apptest.Binary(s.t), args...)
	apptest.DieWithParent(cmd)
	cmd.Dir = s.dir
	var stdout, all bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for address == "" && lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if text := strings.TrimSpace(lines.Text()); strings.HasPrefix(text, "http") {
			address = text
		}
	}
	if address == "" {
		s.t.Fatalf("hufu %v: no address: %s", args, all.String())
	}
	return address, func() (int, string, string) {
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
		}
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode(), stdout.String(), all.String()
	}
}

// By authorization code: the wallet pushes its request, prints an address, and gets a token that is bound to its key.
func TestWalletTakesByAuthorizationCode(t *testing.T) {
	s := newShell(t, apptest.Options{})
	start := []string{"wallet", "accept", "--issuer", s.app.Ready.CredentialIssuers[0], "--configuration", "driving-licence", "--json"}
	address, wait := s.background(start...)
	if !strings.Contains(address, "request_uri=") || strings.Contains(address, "code_challenge=") {
		t.Errorf("the request was not pushed: %s", address)
	}
	page := apptest.NewBrowser(t).Get(address).LogIn(s.app.Person("li-xiuying")).Click("consent-allow")
	if !strings.Contains(page.Text(), "You can close this window") {
		t.Errorf("%s\n%s", page, page.Text())
	}
	code, out, said := wait()
	if code != 0 {
		t.Fatalf("%d %s %s", code, out, said)
	}
	got := read[taken](t, out)
	s.ok("wallet", "present", got.Taken.ID, "--nonce", "n", "--audience", "a", "--all", "--out", "all.txt")
	if code, out := s.verdict("all.txt", "--nonce", "n", "--audience", "a"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	var file struct {
		Session struct {
			Token struct {
				TokenType string `json:"token_type"`
			}
			Key json.RawMessage `json:"dpop_key"`
		}
	}
	b, err := os.ReadFile(filepath.Join(s.dir, got.File))
	if err != nil || json.Unmarshal(b, &file) != nil || file.Session.Token.TokenType != "DPoP" || len(file.Session.Key) == 0 {
		t.Errorf("the token is not bound: %v %+v", err, file)
	}
	s.refused(1, "give an OFFER, or --issuer", "wallet", "accept")
	s.refused(1, "--issuer needs --configuration", "wallet", "accept", "--issuer", s.app.Ready.CredentialIssuers[0])
	s.refused(2, `knows no credential "driving"`, "wallet", "accept", "--issuer", s.app.Ready.CredentialIssuers[0], "--configuration", "driving")
}

func TestProviderIsMadeOnce(t *testing.T) {
	s := &shell{t: t, dir: t.TempDir()}
	if out := s.ok("wallet", "provider", "init", "p"); !strings.Contains(out, "For testing only") {
		t.Error(out)
	}
	s.refused(1, "holds a provider already", "wallet", "provider", "init", "p")
	s.refused(1, "--form is", "wallet", "provider", "init", "q", "--form", "draft-08")
	s.refused(1, "--provider:", "wallet", "accept", "--provider", "nowhere", `openid-credential-offer://?credential_offer_uri=http%3A%2F%2Flocalhost%3A1%2Foffer`)
	for _, name := range []string{"provider.json", "anchor.pem"} {
		info, err := os.Stat(filepath.Join(s.dir, "p", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

// Two takings of one licence are two copies as far as a verifier can tell: they must not be linkable, and a file compared with itself must.
func TestLinkableComparesFiles(t *testing.T) {
	s := newShell(t, apptest.Options{})
	var names []string
	for n := range 3 {
		o := s.offer()
		got := read[taken](t, s.ok("wallet", "accept", o.URI, "--tx-code", o.TxCode, "--json"))
		b, err := os.ReadFile(filepath.Join(s.dir, got.File))
		if err != nil {
			t.Fatal(err)
		}
		file := read[struct{ Copies []struct{ Credential string } }](t, string(b))
		names = append(names, fmt.Sprintf("copy%d.txt", n))
		if err := os.WriteFile(filepath.Join(s.dir, names[n]), []byte(file.Copies[0].Credential), 0o600); err != nil {
			t.Fatal(err)
		}
		s.refused(1, "one copy only", "wallet", "linkable", got.Taken.ID)
	}
	if code, out, _ := s.hufu(append([]string{"wallet", "linkable"}, names...)...); code == 2 {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ := s.hufu("wallet", "linkable", names[0], names[0])
	if code != 2 || !strings.Contains(out, "LINKABLE") || !strings.Contains(out, "copies 1 and 2 are bound to one key") {
		t.Errorf("%d %s", code, out)
	}
	s.refused(1, "no such credential", "wallet", "linkable", "aaaaaa")
	s.refused(1, "not a credential", "wallet", "linkable", names[0], filepath.Join("hufu-wallet", "README"))
}

// Both forms of the wallet attestation, by both grants; a provider that calls itself the same and has another anchor is the twin of each.
func TestWalletIsAttested(t *testing.T) {
	s := newShell(t, apptest.Options{})
	for _, p := range s.app.Ready.WalletProviders {
		o := s.offer()
		other := "other-" + p.Form
		s.ok("wallet", "provider", "init", other, "--form", p.Form, "--client-id", p.ClientID)
		s.refused(2, "client", "wallet", "accept", o.URI, "--tx-code", o.TxCode, "--provider", other)
		s.ok("wallet", "accept", o.URI, "--tx-code", o.TxCode, "--provider", p.Dir)
		s.refused(1, "is not the client of the provider", "wallet", "accept", o.URI, "--tx-code", o.TxCode, "--provider", p.Dir, "--client-id", "x")

		start := []string{"wallet", "accept", "--issuer", s.app.Ready.CredentialIssuers[0], "--configuration", "driving-licence", "--provider"}
		s.refused(2, "client", append(start, other)...)
		address, wait := s.background(append(start, p.Dir)...)
		apptest.NewBrowser(t).Get(address).LogIn(s.app.Person("li-xiuying")).Click("consent-allow")
		if code, out, said := wait(); code != 0 {
			t.Errorf("%s: %d %s %s", p.Form, code, out, said)
		}
	}
	if len(s.app.Ready.WalletProviders) != 2 {
		t.Error(s.app.Ready.WalletProviders)
	}
}
