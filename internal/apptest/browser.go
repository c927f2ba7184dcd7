package apptest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// maxPage bounds a page, in bytes.
const maxPage = 4 << 20

// maxHops bounds a chain of redirects; the longest of a login is five.
const maxHops = 15

// T is what the browser needs of a test. A program that isn't one brings its own, whose Fatal and Fatalf don't return.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Browser is a plain HTTP client that behaves as a person without JavaScript: a cookie jar, redirects, links and forms by control id.
// It sends neither Origin nor Sec-Fetch-Site, so that the form token alone must protect the forms it submits. One goroutine at a time.
type Browser struct {
	// StopAt keeps the browser from following a redirect to an address that starts with one of these: the redirect URI of a client that
	// the test plays itself. The page has then the address and status 0.
	StopAt []string
	// Header is sent with every request, such as Accept-Language.
	Header http.Header

	t      T
	client *http.Client
}

// NewBrowser returns a browser with an empty cookie jar.
func NewBrowser(t T) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, Header: http.Header{}}
	b.client = &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// Page is what the browser shows.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
	// Hops are the addresses of the redirects that led here, without the last.
	Hops []string

	b    *Browser
	root *html.Node
}

// Get opens an address. A failure to reach it fails the test, whatever the status.
func (b *Browser) Get(address string) *Page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.open(req)
}

// Post submits values to an address, as a form of some page would.
func (b *Browser) Post(address string, form url.Values) *Page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.open(req)
}

// Cookies returns what the browser would send there.
func (b *Browser) Cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.client.Jar.Cookies(u)
}

func (b *Browser) open(req *http.Request) *Page {
	b.t.Helper()
	var hops []string
	for {
		for k, v := range b.Header {
			req.Header[k] = v
		}
		res, err := b.client.Do(req)
		if err != nil {
			b.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
		_ = res.Body.Close()
		if err != nil {
			b.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
		}
		location := res.Header.Get("Location")
		if res.StatusCode < 300 || res.StatusCode > 399 || location == "" {
			return &Page{URL: req.URL, Status: res.StatusCode, Header: res.Header, Body: body, Hops: hops, b: b}
		}
		next, err := req.URL.Parse(location)
		if err != nil {
			b.t.Fatalf("%s redirects to %q: %v", req.URL, location, err)
		}
		hops = append(hops, req.URL.String())
		if len(hops) > maxHops {
			b.t.Fatalf("too many redirects: %s", strings.Join(hops, " -> "))
		}
		for _, stop := range b.StopAt {
			if strings.HasPrefix(next.String(), stop) {
				return &Page{URL: next, Header: res.Header, Hops: hops, b: b}
			}
		}
		if req, err = redirected(req, res.StatusCode, next); err != nil {
			b.t.Fatal(err)
		}
	}
}

// redirected is the request that a browser makes next: 307 and 308 keep method and body, others become GET.
func redirected(req *http.Request, status int, next *url.URL) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		method = req.Method
		if req.GetBody != nil {
			again, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			body = again
		}
	}
	out, err := http.NewRequest(method, next.String(), body)
	if err == nil && method == http.MethodPost {
		out.Header.Set("Content-Type", req.Header.Get("Content-Type"))
	}
	return out, err
}

// LogIn goes from the chooser of provinces, or a page that leads there, to what follows the province: a consent page, or where the login
// was asked for. It leaves the answer on the consent page to the caller.
func (p *Page) LogIn(person Person) *Page {
	p.b.t.Helper()
	return p.Click("province-" + person.Province).Click("person-" + person.Slug)
}

// String describes the page in a failure.
func (p *Page) String() string {
	text := strings.Join(strings.Fields(p.Text()), " ")
	if len(text) > 600 {
		text = text[:600] + "..."
	}
	return fmt.Sprintf("%s (%d): %s", p.URL, p.Status, text)
}
