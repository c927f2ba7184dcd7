package licencecmd_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// jobServer answers the jobs' part of the department API around server: one job, which is done at the third look.
type jobServer struct {
	url, key string
	signing  jose.SigningKey
	sent     []string // what was posted
	digest   string
	looks    int
	refused  int64
}

const jobLines = `{"line":1,"result":"created","licence_id":"1.2.3"}` + "\n"

func newJobServer(t *testing.T) *jobServer {
	t.Helper()
	inner, key := newServer(t)
	s := &jobServer{key: key}
	var err error
	if s.signing, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/register/v1/") || strings.HasPrefix(r.URL.Path, "/register/v1/licences") {
			inner.ServeHTTP(w, r)
			return
		}
		s.serve(t, w, r)
	}))
	t.Cleanup(outer.Close)
	inner.issuer, inner.URL, s.url = outer.URL, outer.URL, outer.URL
	return s
}

func (s *jobServer) view() string {
	state, signed := "running", "false"
	if s.looks >= 3 {
		state, signed = "done", "true"
	}
	return fmt.Sprintf(`{"id":"ab12","state":%q,"format":"csv","bytes":3,"records":10,"done":%d,"created":%d,"unchanged":0,"refused":%d,"rate":0,"signed":%s,"created_at":"2026-11-26T04:00:00Z"}`,
		state, min(10, s.looks*4), 10-s.refused, s.refused, signed)
}

func (s *jobServer) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == job.Path:
		b, _ := io.ReadAll(r.Body)
		s.sent = append(s.sent, r.URL.RawQuery+" "+r.Header.Get("Content-Type")+" "+string(b))
		s.digest = r.Header.Get("Content-Digest")
		fmt.Fprint(w, s.view())
	case r.Method == http.MethodGet && r.URL.Path == job.Path:
		if len(s.sent) == 0 {
			fmt.Fprint(w, `{"jobs":[]}`)
			return
		}
		fmt.Fprintf(w, `{"jobs":[%s]}`, s.view())
	case r.URL.Path == job.Path+"/ab12/report":
		fmt.Fprint(w, jobLines)
	case r.URL.Path == job.Path+"/ab12/report.jws":
		file, lines := sha256.Sum256([]byte("a,b")), sha256.Sum256([]byte(jobLines))
		jws, err := jose.SignJSON(s.signing, jose.Header{Typ: job.ReportType}, job.Report{Issuer: s.url, Job: "ab12", Authority: "x", State: job.Done, Records: 10, Created: 10,
			FileSHA256: hex.EncodeToString(file[:]), ReportSHA256: hex.EncodeToString(lines[:])})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, jws)
	case r.URL.Path == job.KeysPath:
		pub, _ := s.signing.Public()
		raw, _ := jose.MarshalJWKS([]jose.JWK{pub})
		_, _ = w.Write(raw)
	case r.Method == http.MethodPatch:
		b, _ := io.ReadAll(r.Body)
		s.sent = append(s.sent, "PATCH "+string(b))
		fmt.Fprint(w, s.view())
	default:
		s.looks++
		fmt.Fprint(w, s.view())
	}
}

func TestImportAsAJobIsSentOnceAndItsReportVerifies(t *testing.T) {
	s := newJobServer(t)
	dir := t.TempDir()
	file, report := filepath.Join(dir, "a.csv"), filepath.Join(dir, "report.jsonl")
	if err := os.WriteFile(file, []byte("a,b"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("a,b"))
	flags := []string{"--as", s.key, "--url", s.url}
	code, out, err := run(t, "", append([]string{"import", file, "--job", "--type", "vehicle-licence", "--rate", "50", "--report", report}, flags...)...)
	if code != 0 || !strings.Contains(out, "Job ab12 is done: 10 of 10 records done.") || len(s.sent) != 1 || s.sent[0] != "rate=50&type=vehicle-licence text/csv a,b" ||
		s.digest != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		t.Fatalf("%d %v\n%s\n%q %s", code, err, out, s.sent, s.digest)
	}
	// The same again: the server has it, and nothing is sent.
	if code, _, _ := run(t, "", append([]string{"import", file, "--job"}, flags...)...); code != 0 || len(s.sent) != 1 {
		t.Errorf("again: %d %q", code, s.sent)
	}
	verify := func(args ...string) (int, string, error) {
		return run(t, "", append([]string{"job", "verify", report, "--url", s.url}, args...)...)
	}
	if code, out, err := verify("--file", file); code != 0 || !strings.Contains(out, "registered 10") {
		t.Errorf("%d %v %s", code, err, out)
	}
	if err := os.WriteFile(file, []byte("a,c"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, err := verify("--file", file); code != licencecmd.ExitRefused || !strings.Contains(err.Error(), "imported file differ") {
		t.Errorf("another file: %d %v", code, err)
	}
	if err := os.WriteFile(report, []byte(strings.Replace(jobLines, "created", "refused", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, err := verify(); code != licencecmd.ExitRefused || !strings.Contains(err.Error(), "NOT the report") {
		t.Errorf("altered lines: %d %v", code, err)
	}
	if err := os.WriteFile(report, []byte(jobLines), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, err := verify(); code != 0 {
		t.Errorf("the twin: %d %v", code, err)
	}
	if s.signing, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	if code, _, err := verify(); code != licencecmd.ExitRefused {
		t.Errorf("another register's keys: %d %v", code, err)
	}
}

func TestJobsAreChangedAndRefusalsGiveAnExitCode(t *testing.T) {
	s := newJobServer(t)
	flags := []string{"--as", s.key, "--url", s.url}
	for _, c := range []struct{ args, want string }{{"pause ab12", `PATCH {"state":"paused"}`}, {"resume ab12", `PATCH {"state":"running"}`}, {"cancel ab12", `PATCH {"state":"cancelled"}`}, {"rate ab12 7", `PATCH {"rate":7}`}} {
		if code, _, err := run(t, "", append(append([]string{"job"}, strings.Fields(c.args)...), flags...)...); code != 0 || s.sent[len(s.sent)-1] != c.want {
			t.Errorf("%s: %d %v %q", c.args, code, err, s.sent)
		}
	}
	for _, args := range [][]string{{"job", "rate", "ab12", "x"}, {"job", "report", "ab12"}, {"import", "-", "--job"}, {"job", "verify", "/nowhere", "--url", s.url}} {
		if code, _, _ := run(t, "", append(args, "--as", s.key)...); code != licencecmd.ExitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
	s.sent, s.refused, s.looks = nil, 2, 3
	file := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := run(t, "", append([]string{"import", file, "--job"}, flags...)...); code != licencecmd.ExitRefused || !strings.Contains(out, "refused 2") {
		t.Errorf("%d %s", code, out)
	}
}

func TestRenewalIsTheOldRecordWithWhatChanges(t *testing.T) {
	inner, key := newServer(t)
	var body map[string]any
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/successors"):
			_ = json.NewDecoder(r.Body).Decode(&body)
			fmt.Fprint(w, `{"id":"1.2.002","predecessor":"1.2.001","holder":{"name":"李"},"valid_from":"2029-01-01"}`)
		case strings.HasPrefix(r.URL.Path, "/register/v1/licences/"):
			fmt.Fprint(w, `{"id":"1.2.001","type":"driving-licence","record_number":"A1","holder":{"name":"李","code":"1","code_type":"111"},"fields":{"sex":"female","vehicle_classes":["C1"]},"valid_from":"2023-01-01","valid_to":"2029-01-01"}`)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(outer.Close)
	inner.issuer, inner.URL = outer.URL, outer.URL
	photo := filepath.Join(t.TempDir(), "p.jpg")
	if err := os.WriteFile(photo, []byte("photo"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, err := run(t, "", "renew", "1.2.001", "--reason", "期满", "--valid-from", "2029-01-02", "--valid-to", "none", "--set", "portrait=@"+photo,
		"--set", `vehicle_classes=["C1","D"]`, "--set", "holder.name=李新", "--as", key, "--url", outer.URL)
	record, _ := body["record"].(map[string]any)
	got, _ := json.Marshal(record)
	want := `{"fields":{"portrait":"cGhvdG8=","sex":"female","vehicle_classes":["C1","D"]},"holder":{"code":"1","code_type":"111","name":"李新"},"record_number":"A1","type":"driving-licence","valid_from":"2029-01-02"}`
	if code != 0 || string(got) != want || body["operation"] != "renew" || !strings.Contains(out, "The new licence is 1.2.002.") || !strings.Contains(out, "follows  1.2.001, which is now lapsed 失效") {
		t.Fatalf("%d %v\n%s\n%s", code, err, got, out)
	}
	for _, args := range [][]string{{"renew", "1.2.001"}, {"transfer", "1.2.001", "--reason", "x"}, {"change", "1.2.001", "--reason", "x", "--set", "x"}, {"renew", "1.2.001", "--reason", "x", "--effective-at", "now"}} {
		if code, _, err := run(t, "", append(args, "--as", key, "--url", outer.URL)...); code != licencecmd.ExitUsage {
			t.Errorf("%v: %d %v", args, code, err)
		}
	}
}
