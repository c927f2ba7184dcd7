package register_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/internal/described"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (a answer) problem(t *testing.T) string {
	t.Helper()
	var p struct {
		Code   string
		Status int
	}
	if err := json.Unmarshal(a.body, &p); err != nil || p.Status != a.code || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem detail: %d %v %s", a.code, a.header, a.body)
	}
	return p.Code
}

func call(t *testing.T, method, url, token, body string) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := described.Check(method, url, resp.StatusCode, resp.Header, b); err != nil {
		t.Error(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func TestDepartmentAPIAsksForAToken(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL + "/register/v1/licences"
		for token, want := range map[string]int{"": 401, "wrong": 401, "nobody": 401, "weak": 403, "police": 200} {
			a := call(t, "GET", base, token, "")
			if a.code != want || want == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("token %q: %d %v", token, a.code, a.header)
			}
		}
		if a := call(t, "GET", base+"?access_token=police", "", ""); a.code != 401 {
			t.Errorf("a token in the query: %d", a.code)
		}
	})
}

func TestDepartmentsNeverSeeEachOthersRecords(t *testing.T) { // V02
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL + "/register/v1/licences"
		id := imported(t, s, "A1")
		revoke := `{"operation":"revoke","reason":"吊销"}`
		for _, c := range []struct{ method, path, body string }{{"GET", "/" + id, ""}, {"POST", "/" + id + "/status", revoke}} {
			foreign, missing := call(t, c.method, base+c.path, "market", c.body), call(t, c.method, base+strings.Replace(c.path, id, "1.2.3", 1), "market", c.body)
			if foreign.code != 404 || foreign.problem(t) != missing.problem(t) || missing.code != 404 {
				t.Errorf("%s %s: %d %s, unknown id %d", c.method, c.path, foreign.code, foreign.body, missing.code)
			}
		}
		if l, err := s.Get(context.Background(), id); err != nil || l.Status != register.StatusValid || audits(t, db, "register.status_changed") != 0 {
			t.Fatalf("the other department did something: %+v, %v", l, err)
		}
		if a := call(t, "GET", base, "market", ""); strings.Contains(string(a.body), id) {
			t.Fatalf("listed to another: %s", a.body)
		}
		if a := call(t, "GET", base+"/"+id, "police", ""); a.code != 200 {
			t.Fatalf("own licence: %d", a.code)
		}
		if a := call(t, "POST", base+"/"+id+"/status", "police", revoke); a.code != 200 {
			t.Fatalf("own act: %d %s", a.code, a.body)
		}
	})
}

func TestDepartmentAPIDoesTheWholeLifeOfALicence(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL + "/register/v1/licences"
		one, err := json.Marshal([]register.ImportRecord{record("A1"), record("A2"), record("A3")})
		if err != nil {
			t.Fatal(err)
		}
		var report register.ImportReport
		if a := call(t, "POST", base, "police", string(one)); a.code != 200 || json.Unmarshal(a.body, &report) != nil || report.Created != 3 {
			t.Fatalf("import: %d %s", a.code, a.body)
		}
		var page struct {
			Licences []registerapi.LicenceView
			Next     string
		}
		seen := map[string]bool{}
		for after, pages := "", 0; pages == 0 || after != ""; pages++ {
			page.Next = ""
			a := call(t, "GET", base+"?limit=2&after="+after, "police", "")
			if a.code != 200 || json.Unmarshal(a.body, &page) != nil || pages > 2 {
				t.Fatalf("list: %d %s", a.code, a.body)
			}
			for _, l := range page.Licences {
				seen[l.ID] = true
			}
			after = page.Next
		}
		if len(seen) != 3 {
			t.Fatalf("listed %v", seen)
		}
		id := report.Records[0].LicenceID
		for _, c := range []struct {
			body, code string
			status     int
		}{
			{`{"operation":"withhold","reason":"未缴罚款"}`, "", 200},
			{`{"operation":"withhold","reason":"again"}`, "act_not_possible", 409},
			{`{"operation":"restore","reason":"已缴","effective_at":"2026-11-22T08:00:00+08:00"}`, "", 200},
			{`{"operation":"restore","reason":"x","effectiveAt":"2026-11-22T08:00:00+08:00"}`, "invalid_request", 400},
			{`{"operation":"revoke"}`, "invalid_request", 400},
			{`{"operation":"revoke","reason":"a","reason":"b"}`, "invalid_request", 400},
			{`{"operation":7,"reason":"a"}`, "invalid_request", 400},
			{`null`, "invalid_request", 400}, {`[`, "invalid_request", 400}, {``, "invalid_request", 400},
			{`{"operation":"revoke","reason":"醉酒驾驶"}`, "", 200},
		} {
			a := call(t, "POST", base+"/"+id+"/status", "police", c.body)
			if a.code != c.status || c.code != "" && a.problem(t) != c.code {
				t.Errorf("%s: %d %s", c.body, a.code, a.body)
			}
		}
		var l registerapi.LicenceView
		if a := call(t, "GET", base+"/"+id, "police", ""); json.Unmarshal(a.body, &l) != nil || l.Status.Name != "revoked" || l.Status.Reason != "醉酒驾驶" || len(l.Journal) != 4 {
			t.Fatalf("%s", a.body)
		}
	})
}

func TestDepartmentAPIAnswersBadInputWithProblems(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL + "/register/v1/licences"
		for _, c := range []struct {
			method, path, body string
			want               int
		}{
			{"POST", "", "", 400}, {"POST", "", "[", 400}, {"POST", "", "[]", 400}, {"POST", "", strings.Repeat("x", register.MaxImport+1), 413},
			{"POST", "", strings.Repeat("{}\n", register.MaxImportRecords+1), 400}, {"POST", "", "{}", 200}, {"POST", "", strings.Repeat("[", 10000), 400},
			{"GET", "?limit=0", "", 400}, {"GET", "?limit=201", "", 400}, {"GET", "?limit=x", "", 400}, {"GET", "?limit=1&limit=2", "", 400}, {"GET", "?limit=200", "", 200},
			{"GET", "/%2e%2e", "", 404}, {"GET", "/%ff%fe", "", 404}, {"GET", "/a%00b", "", 404}, {"GET", "?after=%ff", "", 400}, {"GET", "?reference=a%00", "", 200}, {"GET", "?type=%00", "", 400}, {"GET", "?type=driving-licence", "", 200},
		} {
			if a := call(t, c.method, base+c.path, "police", c.body); a.code != c.want {
				t.Errorf("%s %s: %d %.200s", c.method, c.path, a.code, a.body)
			}
		}
	})
}

// pinned is vct#integrity of version 1 below https://id.example.
const pinned = "sha256-LTQIA//VDQoj3vV20LekxGpWJuoRdn3LPPLnmHybqqI="

func TestTypeMetadataAreServedAsPinned(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL
		typ, ok := s.TypeByVCT("https://id.example/types/driving-licence/1")
		if !ok {
			t.Fatal("no such vct")
		}
		a := call(t, "GET", base+"/types/driving-licence/1", "", "")
		sum := sha256.Sum256(a.body)
		if a.code != 200 || "sha256-"+base64.StdEncoding.EncodeToString(sum[:]) != typ.Integrity ||
			a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") || strings.HasPrefix(a.header.Get("ETag"), "W/") {
			t.Fatalf("%d %v", a.code, a.header)
		}
		// Credentials pin these bytes: whoever changes them must give the type a new version, not this test a new hash.
		if typ.Integrity != pinned {
			t.Errorf("the metadata of version 1 have changed: %s", typ.Integrity)
		}
		var doc struct {
			VCT    string
			Claims []struct {
				Path []string
				SD   string
			}
		}
		if err := json.Unmarshal(a.body, &doc); err != nil || doc.VCT != typ.VCT {
			t.Fatalf("%v %s", err, a.body)
		}
		sd := map[string]string{}
		for _, c := range doc.Claims {
			sd[c.Path[0]] = c.SD
		}
		for _, name := range []string{"licence_id", "licence_number", "id_number", "name", "address"} { // docs/trust.md 1
			if sd[name] != "always" {
				t.Errorf("%s is %q", name, sd[name])
			}
		}
		for _, path := range []string{"/types/driving-licence/99", "/types/driving-licence/01", "/types/passport/1", "/types/driving-licence/..%2f1"} {
			if a := call(t, "GET", base+path, "", ""); a.code != 404 {
				t.Errorf("%s: %d", path, a.code)
			}
		}
	})
}

func TestClaimsOfLeaveOutWhatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		l, err := s.Get(context.Background(), imported(t, s, "A1"))
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := s.Type(l.TypeID)
		claims := typ.ClaimsOf(l)
		for _, c := range typ.Claims {
			if _, ok := claims[c.Name]; c.Mandatory && !ok {
				t.Errorf("mandatory claim %s is missing", c.Name)
			}
		}
		if _, ok := claims["address"]; ok || claims["licence_id"] != l.ID || fmt.Sprint(claims["vehicle_classes"]) != "[C1]" {
			t.Errorf("%v", claims)
		}
	})
}
