package oidc_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z_]+)" value="([^"]*)">`)

// posted reads the form that goes back to the client.
func posted(t *testing.T, a answer) map[string]string {
	t.Helper()
	if a.status != http.StatusOK || !strings.Contains(a.body, `<form method="post" action="`+rpCallback+`"`) {
		t.Fatalf("no form to the client: %d %.800s", a.status, a.body)
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://rp.example") || strings.Contains(csp, "unsafe-inline") {
		t.Errorf("policy %q", csp)
	}
	out := map[string]string{}
	for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
		out[m[1]] = html.UnescapeString(m[2])
	}
	return out
}

func TestFormPostCarriesCodesAndErrors(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	evil := `"><script>alert(1)</script>`
	page := b.get("/authorize?" + request("app", "response_mode", "form_post", "state", evil).Encode())
	form := posted(t, b.agree(page))
	if form["code"] == "" || form["state"] != evil || form["iss"] != e.issuer {
		t.Errorf("form: %v", form)
	}
	if tok := e.token(redeem(form["code"]), "Authorization", basic("app", e.secret)); tok.status != http.StatusOK {
		t.Errorf("token: %d %s", tok.status, tok.Error)
	}
	form = posted(t, e.browser().get("/authorize?"+request("app", "response_mode", "form_post", "prompt", "none").Encode()))
	if form["error"] != "login_required" || form["state"] != "st" || form["code"] != "" {
		t.Errorf("error: %v", form)
	}
	form = posted(t, e.browser().get("/authorize?"+request("app", "response_mode", "form_post.jwt", "prompt", "none").Encode()))
	if strings.Count(form["response"], ".") != 2 || form["error"] != "" {
		t.Errorf("error as a JWT: %v", form)
	}
	// An error never travels in another way than the code would have.
	redir(t, e, e.browser().get("/authorize?"+request("app", "prompt", "none").Encode()), "login_required")
}
