package counter_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
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
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// world is a national server that publishes a bundle and shows presentations, an issuing authority, a holder, and one counter.
type world struct {
	t      *testing.T
	db     *sqlstore.DB
	issuer certified
	credCA certified
	status func(set ...statuslist.Entry) string
	in     bundle.Input
	keys   bundle.Keys
	files  bundle.Files
	holder jose.SigningKey

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
	code    = "1199440000TRY002X9"
	issuer  = "https://hufu.example/i/" + code
	vct     = "https://hufu.example/types/driving-licence/1"
	list    = "https://hufu.example/status/7"
	index   = 4711
	base    = "https://dept.example"
	aud     = base + "/counter"
	typeDoc = `{"vct":"` + vct + `","display":[{"locale":"zh-Hans","name":"机动车驾驶证"},{"locale":"en","name":"Driving licence"}],"claims":[` +
		`{"path":["name"],"sd":"always","display":[{"locale":"zh-Hans","label":"姓名"},{"locale":"en","label":"Name"}]},` +
		`{"path":["id_number"],"sd":"always","display":[{"locale":"zh-Hans","label":"身份证件号码"},{"locale":"en","label":"Identity document number"}]}]}`
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type certified struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func certify(t testing.TB, name string, by *certified, edit func(*x509.Certificate)) certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	must(t, err)
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if edit == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		edit(c)
	}
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return certified{cert, key}
}

// newWorld makes a world whose counter has fetched its first bundle.
func newWorld(t *testing.T, db *sqlstore.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Now().Truncate(time.Second), shown: map[string]string{}, dir: bundlecopy.Dir(t.TempDir())}
	w.credCA = certify(t, "C1", nil, nil)
	statCA := certify(t, "S1", nil, nil)
	status := certify(t, "Status", &statCA, func(*x509.Certificate) {})
	w.issuer = certify(t, "Traffic police", &w.credCA, func(c *x509.Certificate) {
		u, err := url.Parse(issuer)
		must(t, err)
		c.URIs = []*url.URL{u}
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: code}}
	})
	w.status = func(set ...statuslist.Entry) string {
		l, err := statuslist.Build(2, 1<<14, set)
		must(t, err)
		payload, err := statuslist.Payload(statuslist.Claims{URI: list, IssuedAt: w.now.Add(-time.Minute), Expires: w.now.AddDate(0, 0, 35), TTL: 5 * time.Minute, List: l})
		must(t, err)
		k, err := jose.NewSigningKey(status.key, jose.ES256)
		must(t, err)
		token, err := statuslist.Sign(k, [][]byte{status.cert.Raw, statCA.cert.Raw}, payload)
		must(t, err)
		return token
	}
	w.in = bundle.Input{
		Anchors: []bundle.Anchor{{Purpose: "credential", DER: w.credCA.cert.Raw}, {Purpose: "status", DER: statCA.cert.Raw}},
		Issuers: []bundle.Issuer{{ID: issuer, Code: code, Name: map[string]string{"zh": "沙箱省公安厅交通管理局", "en": "Sandbox traffic police"},
			Authorised: []bundle.Authorisation{{VCT: vct, From: w.now.AddDate(-1, 0, 0)}}}},
		Types: map[string][]byte{vct: []byte(typeDoc)}, StatusLists: map[string]string{list: w.status()},
	}
	one := func() bundle.RoleKeys {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		return bundle.RoleKeys{Signers: []bundle.Signer{{Key: k}}}
	}
	w.keys = bundle.Keys{Root: one(), Timestamp: one(), Snapshot: one(), Targets: one(), Status: one(), Issuers: map[string]bundle.RoleKeys{code: one()}}
	var err error
	w.holder, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	w.zip = w.publish(w.now)
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
	w.counter, err = counter.New(context.Background(), counter.Config{BaseURL: base, Department: web.Text{ZH: "沙箱窗口", EN: "Sandbox window"}, Code: code, ClientID: "client-1",
		National: w.origin, Requests: []counter.Request{{Type: "driving-licence", Purpose: "driving-check", Name: web.Text{ZH: "驾驶检查", EN: "Driving check"}}},
		Store: counterstore.New(w.db), Tx: w.db.InTx, ClaimOnce: w.db.ClaimOnce, Lost: sqlstore.ErrLost, Audit: w.db.Audit, Pages: counterpages.Pages{Pages: pages},
		Bundle: w.dir, Root: w.files["1.root.json"], Shown: httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: time.Second}),
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
	case ok && r.Header.Get("Accept") == "application/dc+sd-jwt":
		rw.Header().Set("Content-Type", "application/dc+sd-jwt")
		_, _ = rw.Write([]byte(text))
	default:
		http.NotFound(rw, r)
	}
}

// publish builds the next version as of a time.
func (w *world) publish(at time.Time) []byte {
	w.t.Helper()
	files, err := bundle.Build(w.files, w.in, w.keys, bundle.Options{At: at})
	must(w.t, err)
	w.files = files
	b, err := bundle.Archive(files)
	must(w.t, err)
	return b
}

// issue makes a licence of the holder; edit may change its claims.
func (w *world) issue(edit func(claims map[string]any)) string {
	w.t.Helper()
	pub, err := w.holder.Public()
	must(w.t, err)
	now := w.time()
	claims := map[string]any{"iss": issuer, "vct": vct, "iat": now.Add(-time.Hour).Unix(), "exp": now.AddDate(0, 0, 90).Unix(),
		"status": statuslist.Reference{URI: list, Index: index}.Claim(), "name": "李秀英", "id_number": "99440119490312002X"}
	if edit != nil {
		edit(claims)
	}
	laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("id_number")}, Holder: &pub, Salts: rand.Reader})
	must(w.t, err)
	key, err := jose.NewSigningKey(w.issuer.key, jose.ES256)
	must(w.t, err)
	text, err := sdjwt.Issue(key, [][]byte{w.issuer.cert.Raw, w.credCA.cert.Raw}, laid)
	must(w.t, err)
	parsed, err := sdjwt.Parse(text)
	must(w.t, err)
	shown, err := parsed.Withhold(sdjwt.P("id_number"))
	must(w.t, err)
	return shown
}

// bind is what the holder's wallet answers.
func (w *world) bind(shown, audience, nonce string) string {
	w.t.Helper()
	text, err := sdjwt.BindKey(shown, w.holder, audience, nonce, w.time())
	must(w.t, err)
	return text
}

// steal shows another's licence with a proof of the thief's own key.
func (w *world) steal(licence, nonce string) string {
	w.t.Helper()
	holder := w.holder
	defer func() { w.holder = holder }()
	var err error
	w.holder, err = jose.GenerateKey(jose.ES256)
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
