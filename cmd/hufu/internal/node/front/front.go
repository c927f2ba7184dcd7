// Package front is what belongs to no module: the plain home page, and the answers to addresses that nobody serves.
package front

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/web"
)

// Home is the plain home page.
func Home(pages *web.Pages) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pages.Home(w, r, web.HomePage{Wallet: "/wallet", Licences: "/licences", Trust: trustLinks()})
	}
}

// trustLinks are what a department or a developer looks for on the home page.
func trustLinks() []web.Action {
	return []web.Action{
		{Label: web.Text{ZH: "OpenID Connect 元数据", EN: "OpenID Connect metadata"}, Href: "/.well-known/openid-configuration"},
		{Label: web.Text{ZH: "公开密钥", EN: "Published keys"}, Href: "/jwks"},
		{Label: web.Text{ZH: "信任包", EN: "Trust bundle"}, Href: "/bundle.zip"},
		{Label: web.Text{ZH: "信任包的根", EN: "Root of the trust bundle"}, Href: "/bundle/root.json"},
	}
}

// NotFound answers a browser with a page and a program with JSON.
func NotFound(pages *web.Pages) http.HandlerFunc {
	return problem(pages, web.ProblemNotFound, http.StatusNotFound, "not_found")
}

// MethodNotAllowed is the same for a method that an address does not have.
func MethodNotAllowed(pages *web.Pages) http.HandlerFunc {
	return problem(pages, web.ProblemMethod, http.StatusMethodNotAllowed, "method_not_allowed")
}

func problem(pages *web.Pages, kind web.ProblemKind, code int, word string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			pages.Problem(w, r, web.NewProblem(kind, nil))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, "{\"error\":%q}\n", word)
	}
}
