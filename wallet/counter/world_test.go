package counter_test

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/counterstore"
	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// world is a national server that publishes a bundle and shows presentations, an issuing authority, a holder, and one counter.
type world struct {
	t  *testing.T
	db *sqlstore.DB
	*trusttest.World

	national *httptest.Server
	origin   string // of the national server
	counter  *counter.Counter
	handler  http.Handler
	dir      bundlecopy.Dir

	mu     sync.Mutex
	now    time.Time
	zip    []byte
	shown  map[string]string
	down   bool
	called []string // paths that the national server was asked for
}

const (
	base = "https://dept.example"
	aud  = base + "/counter"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld makes a world whose counter has fetched its first bundle.
func newWorld(t *testing.T, db *sqlstore.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Now().Truncate(time.Second), shown: map[string]string{}, dir: bundlecopy.Dir(t.TempDir())}
	w.World = trusttest.New(t, w.now)
	w.zip = w.Publish(w.now)
	w.national = httptest.NewServer(http.HandlerFunc(w.serveNational))
	t.Cleanup(w.national.Close)
	w.origin = strings.Replace(w.national.URL, "127.0.0.1", "localhost", 1)
	w.open()
	must(t, w.counter.Refresh(context.Background()))
	return w
}

// open opens the counter, as a restart does.
func (w *world) open() {
	w.t.Helper()
	own := netip.MustParseAddrPort(strings.TrimPrefix(w.national.URL, "http://"))
	allow := func(ap netip.AddrPort) bool { return ap == own }
	pages, err := web.New(web.Config{Desk: &web.Desk{Base: counter.Path, Department: web.Text{ZH: "沙箱窗口", EN: "Sandbox window"}}, Now: w.time})
	must(w.t, err)
	w.counter, err = counter.New(context.Background(), counter.Config{BaseURL: base, Department: web.Text{ZH: "沙箱窗口", EN: "Sandbox window"}, Code: trusttest.Code, ClientID: "client-1",
		National: w.origin, Requests: []counter.Request{{Type: "driving-licence", Purpose: "driving-check", Name: web.Text{ZH: "驾驶检查", EN: "Driving check"}}},
		Store: counterstore.New(w.db), Tx: w.db.InTx, ClaimOnce: w.db.ClaimOnce, Lost: sqlstore.ErrLost, Audit: w.db.Audit, Pages: counterpages.Pages{Pages: pages},
		Bundle: w.dir, Root: w.Root(), Shown: httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: time.Second}),
		BundleSource: httpx.NewClient(httpx.ClientOptions{Allow: allow, MaxBytes: bundle.MaxArchive}), Now: w.time})
	must(w.t, err)
	w.handler = w.counter.Handler()
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = at
}

func (w *world) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *world) serveNational(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.called = append(w.called, r.URL.Path)
	if w.down {
		panic(http.ErrAbortHandler)
	}
	text, ok := w.shown[strings.TrimPrefix(r.URL.Path, "/shown/")]
	switch {
	case r.URL.Path == "/bundle.zip":
		rw.Header().Set("ETag", fmt.Sprintf("%q", bundle.Fingerprint(w.zip)))
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(w.zip))
	case ok && strings.HasPrefix(r.Header.Get("Accept"), "application/dc+sd-jwt"):
		rw.Header().Set("Content-Type", map[bool]string{false: "application/dc+sd-jwt", true: "application/cbor"}[verify.IsMdoc(text)])
		_, _ = rw.Write([]byte(text))
	default:
		http.NotFound(rw, r)
	}
}

// issue makes a licence of the holder that keeps the id number back; edit may change its claims.
func (w *world) issue(edit func(claims map[string]any)) string {
	w.t.Helper()
	return w.WithoutNumber(w.Licence(w.time(), edit))
}

// bind is what the holder's wallet answers.
func (w *world) bind(shown, audience, nonce string) string {
	w.t.Helper()
	return w.Bind(shown, audience, nonce, w.time())
}

// steal shows another's licence with a proof of the thief's own key.
func (w *world) steal(licence, nonce string) string {
	w.t.Helper()
	holder := w.Holder
	defer func() { w.Holder = holder }()
	var err error
	w.Holder, err = jose.GenerateKey(jose.ES256)
	must(w.t, err)
	own := w.bind(w.issue(nil), aud, nonce)
	return licence + own[strings.LastIndexByte(own, '~')+1:]
}

// present answers a fresh challenge of the counter.
func (w *world) present() string { return w.bind(w.issue(nil), aud, w.nonce()) }

// --- the clerk

// page is an answer of the counter.
type page struct {
	code int
	head http.Header
	body string
}

var (
	verdictOf = regexp.MustCompile(`data-verdict="([a-z_]+)"`)
	receiptOf = regexp.MustCompile(`id="counter-receipt">([^<]+)<`)
	nonceOf   = regexp.MustCompile(`id="counter-nonce">([^<]+)<`)
)

func first(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

func (p page) verdict() string { return first(verdictOf, p.body) }
func (p page) receipt() string { return first(receiptOf, p.body) }

func (w *world) do(r *http.Request) page {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return page{rec.Code, rec.Header(), rec.Body.String()}
}

func (w *world) get(path string) page {
	return w.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (w *world) nonce() string {
	w.t.Helper()
	n := first(nonceOf, w.get(counter.Path).body)
	if n == "" {
		w.t.Fatal("the page has no nonce")
	}
	return n
}

// post sends a form as a browser on the counter's own page does.
func (w *world) post(path string, fields map[string]string, files map[string][]byte) page {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, v := range fields {
		_ = m.WriteField(name, v)
	}
	for name, v := range files {
		part, err := m.CreateFormFile(name, "file")
		must(w.t, err)
		_, _ = part.Write(v)
	}
	_ = m.Close()
	r := httptest.NewRequest(http.MethodPost, path, &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Origin", base)
	return w.do(r)
}

func (w *world) check(input string) page {
	return w.post(counter.Path+"/check", map[string]string{"input": input}, nil)
}

// expect checks verdict and reason, the reason in the record.
func (w *world) expect(name string, p page, verdict, reason string) {
	w.t.Helper()
	if p.code != http.StatusOK || p.verdict() != verdict {
		w.t.Errorf("%s: %d %q, want %s", name, p.code, p.verdict(), verdict)
		return
	}
	rec, err := counterstore.New(w.db).Get(context.Background(), p.receipt())
	if err != nil || rec.Verdict != verdict || rec.Reason != reason {
		w.t.Errorf("%s: recorded %s %s (%v), want %s", name, rec.Verdict, rec.Reason, err, reason)
	}
}
