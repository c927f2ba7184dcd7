package oidc_test

import (
	mrand "math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// G04: a browser that jumps between the steps of several flows, repeats, goes back and posts one flow's form to another gets no code that it did not
// agree to, none below the level that was asked for, and never a 5xx.
func TestG04StepsInAnyOrderGiveNothingThatWasNotAgreed(t *testing.T) {
	total := 0
	for seed := range uint64(6) {
		e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
		e.loginAs("p-li", "loa2") // "strict" needs loa4
		b, rnd := e.browser(), mrand.New(mrand.NewPCG(seed, 4))
		var pages []answer // consent pages seen
		var flows []string // flow ids seen
		agreed, codes := 0, 0
		look := func(what string, a answer) {
			if a.status >= 500 {
				t.Fatalf("seed %d: %s answered %d: %.300s", seed, what, a.status, a.body)
			}
			if parts := strings.Split(a.at.Path, "/"); len(parts) > 2 && (parts[1] == "consent" || parts[1] == "login" || parts[1] == "authorize") {
				flows = append(flows, parts[2])
			}
			if strings.HasPrefix(a.at.Path, "/consent/") && csrfField.MatchString(a.body) {
				pages = append(pages, a)
			}
			if a.location != nil && a.location.Query().Get("code") != "" {
				codes++
				if a.location.Query().Get("state") == "strict" {
					t.Fatalf("seed %d: a code below the level that was asked for", seed)
				}
			}
			if codes > agreed {
				t.Fatalf("seed %d: %s: %d codes after %d agreements", seed, what, codes, agreed)
			}
		}
		for range 120 {
			switch op := rnd.IntN(8); {
			case op < 2:
				id := []string{"app", "other", "strict"}[rnd.IntN(3)]
				look("start", b.get("/authorize?"+request(id, "state", id).Encode()))
			case op < 5 && len(flows) > 0:
				flow := flows[rnd.IntN(len(flows))]
				path := []string{"/authorize/" + flow, "/consent/" + flow, "/login/" + flow + "/", "/authorize/" + flow + "/leave"}[rnd.IntN(4)]
				look(path, b.get(path))
			case op == 5 && len(pages) > 0: // the form of one flow, posted to another
				form, at := pages[rnd.IntN(len(pages))], pages[rnd.IntN(len(pages))]
				values := url.Values{"csrf": {field(t, csrfField, form.body)}, "decision": {"allow"}, "term": {"once"}}
				if form.at.Path == at.at.Path {
					agreed++
				}
				look("foreign form", b.post(at.at.Path, values))
			case op == 6 && len(pages) > 0:
				agreed++
				look("agree", b.agree(pages[rnd.IntN(len(pages))], "term", "once"))
			case op == 7 && len(pages) > 0:
				look("decline", b.agree(pages[rnd.IntN(len(pages))], "decision", "deny"))
			}
		}
		total += codes
	}
	if total == 0 {
		t.Error("the positive twin: no agreement gave a code")
	}
}
