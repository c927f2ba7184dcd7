package registerapi_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/internal/described"
)

// routesFile lists every route of a node.
const routesFile = "../../../cmd/hufu/internal/node/testdata/routes.txt"

func TestTheDescriptionIsOpenAPIAndCoversEveryRoute(t *testing.T) {
	doc, err := described.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	b, err := os.ReadFile(routesFile)
	if err != nil {
		t.Fatal(err)
	}
	var served, said []string
	for line := range strings.Lines(string(b)) {
		if method, path, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(path, "/register/v1/") {
			served = append(served, method+" "+path)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			said = append(said, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(said)
	if len(served) < 10 || !slices.Equal(served, said) {
		t.Errorf("served %q\ndescribed %q", served, said)
	}
}

func TestTheDescriptionNamesTheLaw(t *testing.T) {
	doc, err := described.Load()
	if err != nil {
		t.Fatal(err)
	}
	names := func(acts []register.Operation) (out []any) {
		for _, o := range acts {
			out = append(out, o.Name)
		}
		return out
	}
	for schema, want := range map[string][]any{"StatusRequest": names(register.Operations), "SuccessionRequest": names(register.Successions)} {
		if got := doc.Components.Schemas[schema].Value.Properties["operation"].Value.Enum; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", schema, got, want)
		}
	}
	if got := doc.Components.Schemas["Status"].Value.Properties["code"].Value.Enum; len(got) != len(register.Statuses) {
		t.Errorf("states %v", got)
	}
}

func TestAnswersThatAreNotAsDescribedAreNoticed(t *testing.T) {
	json, bad := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"application/problem+json"}}
	good := `{"licences":[]}`
	if err := described.Check("GET", "http://x/register/v1/licences", 200, json, []byte(good)); err != nil {
		t.Errorf("the twin: %v", err)
	}
	for name, err := range map[string]error{
		"another member":   described.Check("GET", "http://x/register/v1/licences", 200, json, []byte(`{"licences":[],"x":1}`)),
		"a member lacking": described.Check("GET", "http://x/register/v1/licences", 200, json, []byte(`{}`)),
		"another status":   described.Check("GET", "http://x/register/v1/licences", 418, json, []byte(good)),
		"another type":     described.Check("GET", "http://x/register/v1/licences", 200, http.Header{"Content-Type": {"text/html"}}, []byte(good)),
		"another route":    described.Check("GET", "http://x/register/v1/secrets", 200, json, []byte(good)),
		"no problem":       described.Check("GET", "http://x/register/v1/licences", 401, bad, []byte(`{"code":"x"}`)),
	} {
		if err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
