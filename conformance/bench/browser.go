package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/hufu-id/hufu/internal/sample"
)

// browser is one person's browser, driven without parsing pages more than needed. For one goroutine.
type browser struct {
	b      *bench
	person sample.Person
	client *http.Client
}

// fresh gives a browser without cookies: the next login is a whole one.
func (b *bench) fresh(p sample.Person) *browser {
	jar, _ := cookiejar.New(nil) // fails never without options
	return &browser{b, p, &http.Client{Jar: jar, Transport: b.http, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer.
type page struct {
	url    *url.URL
	status int
	body   string
}

func (w *browser) do(ctx context.Context, method, address, form string) (page, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return page{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := w.client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return page{}, err
	}
	if to := res.Header.Get("Location"); to != "" {
		next, err := req.URL.Parse(to)
		return page{next, res.StatusCode, ""}, err
	}
	return page{req.URL, res.StatusCode, string(body)}, nil
}

var (
	loginID = regexp.MustCompile(`/pick\?login=([A-Z0-9]+)`)
	csrf    = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
)

// code goes from an authorization request to its code, with whatever pages come between: chooser and province, consent.
func (w *browser) code(ctx context.Context, clientID, scope, verifier string) (string, error) {
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {scope}, "state": {rand.Text()}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	p, err := w.do(ctx, http.MethodGet, w.b.origin+"/authorize?"+q.Encode(), "")
	for hops := 0; err == nil && hops < 12; hops++ {
		address := p.url.String()
		switch {
		case strings.HasPrefix(address, redirectURI):
			if code := p.url.Query().Get("code"); code != "" {
				return code, nil
			}
			return "", fmt.Errorf("no code but %s", p.url.RawQuery)
		case p.status/100 == 3:
			p, err = w.do(ctx, http.MethodGet, address, "")
		case p.status != http.StatusOK:
			return "", fmt.Errorf("%s answered %d: %.300s", p.url.Path, p.status, p.body)
		case strings.HasPrefix(p.url.Path, "/login/"):
			p, err = w.do(ctx, http.MethodGet, address+provinceCode, "")
		case strings.HasPrefix(address, w.b.provinceIssuer):
			id := loginID.FindStringSubmatch(p.body)
			if id == nil {
				return "", errors.New("the province's page names no login")
			}
			p, err = w.do(ctx, http.MethodGet, w.b.provinceIssuer+"/pick?login="+id[1]+"&person="+w.person.Slug, "")
		case strings.HasPrefix(p.url.Path, "/consent/"):
			token := csrf.FindStringSubmatch(p.body)
			if token == nil {
				return "", errors.New("the consent page has no form token")
			}
			form := url.Values{"csrf": {html.UnescapeString(token[1])}, "decision": {"allow"}, "term": {"standing"}}
			p, err = w.do(ctx, http.MethodPost, address, form.Encode())
		default:
			return "", fmt.Errorf("unexpected page %s", address)
		}
	}
	if err == nil {
		err = errors.New("too many steps")
	}
	return "", err
}

// redeem trades a code for an access token. secret is "" for a public client.
func (w *browser) redeem(ctx context.Context, clientID, secret, code, verifier string) (string, error) {
	form := redemption(code, verifier)
	if secret == "" {
		form.Set("client_id", clientID)
	}
	return w.b.token(ctx, clientID, secret, form)
}

func redemption(code, verifier string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}}
}

// token asks the token endpoint for an access token.
func (b *bench) token(ctx context.Context, clientID, secret string, form url.Values) (string, error) {
	t, err := b.tokens(ctx, clientID, secret, form)
	return t.Access, err
}

// tokens are an answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (b *bench) tokens(ctx context.Context, clientID, secret string, form url.Values) (t tokens, err error) {
	err = b.call(ctx, http.MethodPost, "/token", formType, form.Encode(), func(r *http.Request) {
		if secret != "" {
			r.SetBasicAuth(clientID, secret)
		}
	}, &t)
	if err == nil && t.Access == "" {
		err = errors.New("no access token")
	}
	return t, err
}

func (b *bench) basic(clientID string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(clientID, b.secret) }
}

// call sends one request to the national server and decodes its JSON answer.
func (b *bench) call(ctx context.Context, method, path, contentType, body string, edit func(*http.Request), into any) error {
	req, err := http.NewRequestWithContext(ctx, method, b.origin+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if edit != nil {
		edit(req)
	}
	res, err := b.http.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d: %.300s", path, res.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}
