package licencecmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
	"github.com/hufu-id/hufu/internal/jose"
)

// server is the department API by its contract: it checks the assertion as an authorization server does and records what it is asked.
type server struct {
	*httptest.Server
	key     jose.JWK
	issuer  string // "" is its own URL
	expires int    // answers to give before the access token is refused once
	bodies  []string
}

func newServer(t *testing.T) (*server, string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	private, err := jose.MarshalPrivateJWK(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{expires: -1}
	if s.key, err = key.Public(); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"client_id":"police","key":%s,"department":"1199440000TRY002X9","name":"x"}`, private), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, file
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		issuer := s.issuer
		if issuer == "" {
			issuer = s.URL
		}
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, issuer, s.URL+"/token")
		return
	case "/token":
		s.token(w, r)
		return
	}
	if s.expires--; r.Header.Get("Authorization") != "Bearer t" || s.expires == 0 {
		http.Error(w, `{"status":http.StatusUnauthorized,"code":"unauthenticated","title":"no"}`, http.StatusUnauthorized)
		return
	}
	b, _ := io.ReadAll(r.Body)
	s.bodies = append(s.bodies, r.Method+" "+r.URL.Path+" "+string(b))
	switch {
	case strings.HasSuffix(r.URL.Path, "/status"):
		http.Error(w, `{"status":404,"code":"licence_not_found","title":"This authority has no such licence","trace_id":"abc"}`, 404)
	case r.URL.Path == "/register/v1/offers":
		fmt.Fprint(w, `{"offer_uri":"openid-credential-offer://x","tx_code":"123456"}`)
	default:
		var lines []string
		for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			result := "created"
			if strings.Contains(line, "bad") {
				result = "refused"
			}
			lines = append(lines, fmt.Sprintf(`{"line":%d,"result":%q}`, i+1, result))
		}
		refused := strings.Count(string(b), "bad")
		fmt.Fprintf(w, `{"created":%d,"refused":%d,"records":[%s]}`, len(lines)-refused, refused, strings.Join(lines, ","))
	}
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	v, err := jose.Verify(r.PostFormValue("client_assertion"), jose.Policy{Typ: []string{"JWT"}, Algs: []jose.Alg{jose.ES256}}, s.key)
	if err == nil {
		_, err = v.Claims(jose.ClaimPolicy{Issuer: "police", Audience: s.URL, At: time.Now(), MaxLifetime: 2 * time.Minute, RequireJTI: true})
	}
	if err != nil || r.PostFormValue("scope") != "register" || r.PostFormValue("grant_type") != "client_credentials" {
		http.Error(w, `{"error":"invalid_client","error_description":"no"}`, http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer"}`)
}

func run(t *testing.T, stdin string, args ...string) (code int, stdout string, err error) {
	t.Helper()
	cmd := licencecmd.NewCommand()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err = cmd.ExecuteContext(t.Context())
	var exit *licencecmd.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.Code
	case err != nil:
		code = licencecmd.ExitUsage
	}
	return code, out.String(), err
}

func TestOfferPrintsTheOfferAndItsCode(t *testing.T) {
	s, key := newServer(t)
	code, out, err := run(t, "", "offer", "--person", "li-xiuying", "--type", "driving-licence", "--as", key, "--url", s.URL+"/", "--json")
	var offer map[string]string
	if code != 0 || json.Unmarshal([]byte(out), &offer) != nil || offer["offer_uri"] != "openid-credential-offer://x" || offer["tx_code"] != "123456" {
		t.Fatalf("%d %s %v", code, out, err)
	}
	if s.bodies[0] != `POST /register/v1/offers {"person":"li-xiuying","type":"driving-licence"}` {
		t.Fatal(s.bodies)
	}
	code, _, err = run(t, "", "offer", "--person", "li-xiuying", "--type", "driving-licence", "--grant", "authorization_code", "--as", key, "--url", s.URL)
	if want := `POST /register/v1/offers {"grant":"authorization_code","person":"li-xiuying","type":"driving-licence"}`; code != 0 || s.bodies[len(s.bodies)-1] != want {
		t.Fatal(code, err, s.bodies)
	}
	if code, _, _ := run(t, "", "offer", "--person", "li-xiuying", "--as", key, "--url", s.URL); code != licencecmd.ExitUsage {
		t.Fatalf("without a type: %d", code)
	}
}

func TestImportSendsPartsAndKeepsTheLinesOfTheFile(t *testing.T) {
	s, key := newServer(t)
	s.expires = 2 // the access token ends within the import
	big := strings.Repeat("x", 20<<10)
	file := fmt.Sprintf("{\"n\":%q}\n\n{\"n\":%q}\r\n{\"n\":%q}\n{\"n\":\"bad\"}\n", big, big, big)
	code, out, err := run(t, file, "import", "-", "--as", key, "--url", s.URL, "--json")
	var report struct {
		Created, Refused int
		Records          []struct {
			Line   int
			Result string
		}
	}
	if code != licencecmd.ExitRefused || json.Unmarshal([]byte(out), &report) != nil || report.Created != 3 || report.Refused != 1 || len(s.bodies) != 2 {
		t.Fatalf("%d %v %d requests %.300s", code, err, len(s.bodies), out)
	}
	if last := report.Records[3]; last.Line != 5 || last.Result != "refused" {
		t.Fatalf("%+v", report.Records)
	}
	if code, out, _ := run(t, `[{"a":1},{"b":2}]`, "import", "-", "--as", key, "--url", s.URL); code != 0 || !strings.HasPrefix(out, "Registered 2") {
		t.Fatalf("array: %d %s", code, out)
	}
}

func TestARefusalNamesItsCodeAndTrace(t *testing.T) {
	s, key := newServer(t)
	code, _, err := run(t, "", "status", "1.2.3", "revoke", "--reason", "r", "--as", key, "--url", s.URL)
	if code != licencecmd.ExitRefused || !strings.Contains(err.Error(), "licence_not_found") || !strings.Contains(err.Error(), "abc") {
		t.Fatalf("%d %v", code, err)
	}
	code, out, _ := run(t, "", "status", "1.2.3", "吊销", "--reason", "r", "--as", key, "--url", s.URL, "--json")
	if code != licencecmd.ExitRefused || !strings.Contains(out, `"code":"licence_not_found"`) {
		t.Fatalf("%d %s", code, out)
	}
	if want := `POST /register/v1/licences/1.2.3/status {"operation":"revoke","reason":"r"}`; s.bodies[1] != want {
		t.Fatal(s.bodies)
	}
	for _, args := range [][]string{{"status", "1", "revoke"}, {"status", "1", "destroy", "--reason", "r"}, {"status", "1", "revoke", "--reason", "r", "--effective-at", "today"}} {
		if code, _, _ := run(t, "", append(args, "--as", key, "--url", s.URL)...); code != licencecmd.ExitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
}

func TestNoSecretGoesToAServerThatIsNotTheOneMeant(t *testing.T) {
	s, key := newServer(t)
	s.issuer = "https://id.example"
	if _, _, err := run(t, "", "list", "--as", key, "--url", s.URL); err == nil || !strings.Contains(err.Error(), "says that it is") {
		t.Fatalf("another issuer: %v", err)
	}
	for _, u := range []string{"http://id.example", "ftp://localhost", "https://user@id.example", "https://id.example/path", "x"} {
		if code, _, err := run(t, "", "list", "--as", key, "--url", u); code != licencecmd.ExitUsage || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%s: %d %v", u, code, err)
		}
	}
}
