package resource_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hufu-id/hufu/oidc/resource"
)

// An API with two routes: reading takes any token of the issuer with the scope "read", paying a login of a high level that is at most ten minutes old.
func Example() {
	issuer := startIssuer() // stands for the national server
	defer issuer.Close()

	guard, err := resource.New(resource.Config{
		Issuer:   issuer.URL,
		Audience: "https://api.example",
		Need:     resource.Need{Scopes: []string{"read"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := http.NewServeMux()
	api.Handle("GET /licences", guard.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		fmt.Fprintf(w, "licences of %s for %s", token.Subject, token.ClientID)
	})))
	high := guard.For(resource.Need{Scopes: []string{"write"}, ACR: []string{"loa3", "loa4"}, MaxAge: 10 * time.Minute})
	api.Handle("GET /pay", high.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "paid")
	})))
	server := httptest.NewServer(api)
	defer server.Close()

	get := func(path, token string) {
		r, _ := http.NewRequest("GET", server.URL+path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		body := make([]byte, 200)
		n, _ := resp.Body.Read(body)
		fmt.Println(path, resp.StatusCode)
		if resp.StatusCode == http.StatusOK {
			fmt.Println(" ", string(body[:n]))
		} else {
			fmt.Println(" ", resp.Header.Get("WWW-Authenticate"))
		}
	}
	get("/licences", "")
	token := issuer.token(time.Now(), map[string]any{"acr": "loa2"})
	get("/licences", token)
	get("/pay", token)
	get("/pay", issuer.token(time.Now(), map[string]any{"acr": "loa3"}))

	// Output:
	// /licences 401
	//   Bearer realm="https://api.example"
	// /licences 200
	//   licences of person-1 for app-1
	// /pay 401
	//   Bearer realm="https://api.example", error="insufficient_user_authentication", error_description="the level of the login is too low here", acr_values="loa3 loa4", max_age=600
	// /pay 200
	//   paid
}
