package sealcmd_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/cmd/hufu/internal/sealcmd"
	"github.com/hufu-id/hufu/internal/jose"
)

const sealID = "1199440000TRY002X9-99-ABCDEFGHIJ"

// server is the API of seals by its contract; it records what it is asked.
type server struct {
	*httptest.Server
	asked []string
	scope string
	fail  int // status to answer a request to seal with
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
	s := &server{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"client_id":"police-1","key":%s,"department":"1199440000TRY002X9","name":"x"}`, private), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, file
}

const (
	requestJSON = `{"id":"ABCDEFGHIJKL","seal":"` + sealID + `","operation":"suspend","content":{"reason":"丢失\u001b[31m","seal":"x","seq":1},"proposed_by":"police-1",
		"proposed_at":"2026-11-26T10:00:00Z","expires_at":"2026-12-03T10:00:00Z"`
	sealJSON = `{"id":"` + sealID + `","maker":"91990000MA9TRY042P","owner":{"code":"1199440000TRY002X9","name":"交管局"},"kind":"99","kind_zh":"其他印章","name":"专用章",
		"document_kinds":["approval"],"valid_from":"2026-11-26","valid_to":"2027-11-26","state":"active","state_zh":"有效","state_since":"2026-11-26T10:00:00Z"}`
)

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, s.URL, s.URL+"/token")
		return
	case "/token":
		s.scope = r.PostFormValue("scope")
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer"}`)
		return
	}
	b, _ := io.ReadAll(r.Body)
	s.asked = append(s.asked, r.Method+" "+r.URL.Path+" "+string(b))
	switch {
	case strings.HasSuffix(r.URL.Path, "/sign") && s.fail != 0:
		http.Error(w, `{"status":409,"code":"seal_not_active","title":"no"}`, s.fail)
	case strings.HasSuffix(r.URL.Path, "/sign"):
		fmt.Fprint(w, `{"seal":"`+sealID+`","use":{"request_id":"0123456789abcdef","sha256":"ab","document_kind":"approval","by":"police-1","at":"2026-11-26T10:00:00Z"},"repeated":false,"signature":"{}\n"}`)
	case strings.HasSuffix(r.URL.Path, "/approve"):
		fmt.Fprint(w, requestJSON+`,"decision":"approved","seal_now":`+sealJSON+`}`)
	case strings.HasSuffix(r.URL.Path, "/refuse"):
		fmt.Fprint(w, requestJSON+`,"decision":"refused"}`)
	case r.URL.Path == "/seals/v1/requests" && r.Method == http.MethodGet:
		fmt.Fprint(w, `{"requests":[`+requestJSON+`}]}`)
	case r.URL.Path == "/seals/v1/requests":
		fmt.Fprint(w, requestJSON+`}`)
	case strings.HasSuffix(r.URL.Path, "/uses"):
		fmt.Fprint(w, `{"uses":[]}`)
	case r.URL.Path == "/seals/v1/seals":
		fmt.Fprint(w, `{"seals":[`+sealJSON+`]}`)
	default:
		fmt.Fprint(w, sealJSON)
	}
}

func run(t *testing.T, args ...string) (code int, stdout string, err error) {
	t.Helper()
	cmd := sealcmd.NewCommand()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err = cmd.ExecuteContext(t.Context())
	var exit *deptclient.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.Code
	case err != nil:
		code = deptclient.ExitUsage
	}
	return code, out.String(), err
}

func TestOnlyTheDigestLeavesTheComputer(t *testing.T) {
	s, key := newServer(t)
	dir := t.TempDir()
	file, out := filepath.Join(dir, "李秀英的批复.txt"), filepath.Join(dir, "out.jades")
	content := []byte("an official secret\n")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, err := run(t, "sign", "--seal", sealID, "--out", out, file, "--as", key, "--url", s.URL)
	if code != 0 || err != nil || !strings.Contains(text, "Sealed.") || s.scope != "seal" {
		t.Fatalf("%d %v %s", code, err, text)
	}
	sum := sha256.Sum256(content)
	if len(s.asked) != 1 || strings.Contains(s.asked[0], "secret") || strings.Contains(s.asked[0], "李秀英") || !strings.Contains(s.asked[0], hex.EncodeToString(sum[:])) {
		t.Errorf("sent %q", s.asked)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "{}\n" {
		t.Errorf("%q, %v", b, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".hufu-seal-*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestWhatWentWrongIsToldWithAnExitCode(t *testing.T) {
	s, key := newServer(t)
	dir := t.TempDir()
	file, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "out.jades")
	if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	sign := func(more ...string) []string {
		return append([]string{"sign", "--seal", sealID, "--out", out, file}, more...)
	}
	for name, c := range map[string]struct {
		args []string
		fail int
		code int
		text string
	}{
		"no key":             {sign("--url", s.URL), 0, 1, "--as"},
		"no server":          {sign("--as", key), 0, 1, "--url"},
		"no seal":            {[]string{"sign", "--out", out, file, "--as", key, "--url", s.URL}, 0, 1, "--seal"},
		"no such file":       {[]string{"sign", "--seal", sealID, "--out", out, file + "x", "--as", key, "--url", s.URL}, 0, 1, "no such file"},
		"onto itself":        {[]string{"sign", "--seal", sealID, "--out", file, file, "--as", key, "--url", s.URL}, 0, 1, "--out"},
		"refused":            {sign("--as", key, "--url", s.URL), 409, 2, "seal_not_active"},
		"a fault over there": {sign("--as", key, "--url", s.URL, "--request-id", "0123456789abcdef"), 500, 2, "--request-id 0123456789abcdef"},
		"no reason":          {[]string{"suspend", sealID, "--as", key, "--url", s.URL}, 0, 1, "--reason"},
		"half a proposal":    {[]string{"issue", "--owner", "x", "--as", key, "--url", s.URL}, 0, 1, "--valid-to"},
		"no such picture": {[]string{"issue", "--owner", "x", "--owner-name", "x", "--kind", "01", "--name", "x", "--document-kind", "notice", "--valid-to", "2027-01-01",
			"--picture", file + "x", "--as", key, "--url", s.URL}, 0, 1, "no such file"},
	} {
		s.fail = c.fail
		if code, _, err := run(t, c.args...); code != c.code || err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %d %v", name, code, err)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failure left a signature")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "a" {
		t.Errorf("the document is now %q, %v", b, err)
	}
}

func TestEveryChangeSaysWhatTheSecondPersonDoes(t *testing.T) {
	s, key := newServer(t)
	next := "hufu seal approve ABCDEFGHIJKL --as HER_KEY_FILE --url " + s.URL
	for _, args := range [][]string{{"suspend", sealID, "--reason", "丢失"}, {"resume", sealID, "--reason", "找到"}, {"cancel", sealID, "--reason", "x"},
		{"issue", "--owner", "1199440000TRY002X9", "--owner-name", "交管局", "--kind", "99", "--name", "x", "--document-kind", "approval,notice", "--valid-to", "2027-01-01"}} {
		code, text, err := run(t, append(args, "--as", key, "--url", s.URL)...)
		if code != 0 || !strings.Contains(text, next) || strings.Contains(text, "\x1b") {
			t.Errorf("%v: %d %v %q", args, code, err, text)
		}
	}
	for _, c := range []struct{ args, text string }{{"approve ABCDEFGHIJKL", "Done"}, {"refuse ABCDEFGHIJKL", "Refused"}, {"requests", "ABCDEFGHIJKL"}, {"list", "专用章"},
		{"show " + sealID, "有效"}} {
		code, text, err := run(t, append(strings.Fields(c.args), "--as", key, "--url", s.URL)...)
		if code != 0 || !strings.Contains(text, c.text) || strings.Contains(text, "\x1b") {
			t.Errorf("%s: %d %v %q", c.args, code, err, text)
		}
		code, text, err = run(t, append(strings.Fields(c.args), "--as", key, "--url", s.URL, "--json")...)
		var answer map[string]any
		if code != 0 || json.Unmarshal([]byte(text), &answer) != nil || len(answer) == 0 {
			t.Errorf("%s --json: %d %v %q", c.args, code, err, text)
		}
	}
}
