package hosted_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/hostedstore"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/hosted"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
)

var formKey = []byte("0123456789abcdef0123456789abcdef")

const origin = "http://hufu.test"

// world is a wallet over a real store, with everything around it played by the test.
type world struct {
	t      *testing.T
	db     *sqlstore.DB
	wallet *hosted.Wallet
	h      http.Handler

	mu       sync.Mutex
	now      time.Time
	issuer   jose.SigningKey
	keys     map[string]jose.SigningKey
	gone     map[string]bool
	inForce  bool
	issueErr error
	mdoc     bool // the licence has such a form
	noMdoc   bool // but the issuer doesn't make it
	issued   int
}

func newWorld(t *testing.T, db *sqlstore.DB) *world {
	t.Helper()
	pages, err := web.New(web.Config{Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, now: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC), keys: map[string]jose.SigningKey{}, gone: map[string]bool{}, inForce: true}
	if w.issuer, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	w.wallet, err = hosted.New(hosted.Config{Origin: origin, FormKey: formKey, Pages: pages, Citizens: w, Licences: w, Issuer: w, Keys: w, Clients: w, Verifier: w,
		Store: hostedstore.New(db), Sealer: httpx.NewSealer(formKey), Logout: "/logout", Now: w.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	w.wallet.Routes(r)
	w.h = pages.Preferences(httpx.Wrap(r, httpx.Options{}))
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) set(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

func (w *world) Current(r *http.Request) (hosted.Citizen, bool) {
	id := r.Header.Get("X-Person")
	return hosted.Citizen{PersonID: id, Name: "李秀英", ACR: cmp.Or(r.Header.Get("X-ACR"), "loa3"), SessionID: "s-" + id}, id != ""
}

func (w *world) Login(rw http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(rw, r, "/login?to="+url.QueryEscape(to), http.StatusSeeOther)
}

func (w *world) Of(_ context.Context, person string) ([]hosted.Licence, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := hosted.Licence{ID: "L." + person, TypeID: "driving-licence", Name: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: web.Plain("police"), Authority: "A",
		Status: web.Text{ZH: "有效", EN: "valid"}, Tone: web.ToneOK, InForce: w.inForce, RequiredACR: "loa3", ValidFrom: w.now,
		Claims: []hosted.Claim{{Name: "name", Label: web.Text{ZH: "姓名", EN: "Name"}, Value: "李秀英", Selective: true},
			{Name: "birth_date", Label: web.Text{ZH: "出生日期", EN: "Date of birth"}, Value: "1958-03-12", Selective: true},
			{Name: "classes", Label: web.Text{ZH: "车型", EN: "Classes"}, Value: []string{"C1"}}},
		Presets: []hosted.Preset{{ID: "driving-check", Name: web.Text{ZH: "驾驶检查", EN: "Driving check"}, Claims: []string{"name"}},
			{ID: "age", Name: web.Text{ZH: "年龄", EN: "Age"}, Claims: []string{"birth_date"}}}}
	if w.mdoc {
		l.Elements = []content.Element{{Claim: "name", NameSpace: "org.hufu", ID: "name"}, {Claim: "birth_date", NameSpace: mdoc.MDLNameSpace, ID: "birth_date"},
			{NameSpace: mdoc.MDLNameSpace, ID: "issuing_country"}}
	}
	if !w.inForce {
		l.Status, l.Tone = web.Text{ZH: "吊销", EN: "revoked"}, web.ToneBad
	}
	return []hosted.Licence{l}, nil
}

// Issue issues as an issuer would: it checks the proof and binds the credential to its key.
func (w *world) Issue(_ context.Context, c hosted.Citizen, l hosted.Licence, format string, prove func(nonce, audience string) (string, error)) (string, error) {
	proof, err := prove("the-nonce", "the-issuer")
	if err != nil {
		return "", err
	}
	u, err := jose.ParseUnverified(proof, jose.Policy{Typ: []string{"openid4vci-proof+jwt"}, Algs: []jose.Alg{jose.ES256}, MaxBytes: 4096})
	if err != nil {
		return "", err
	}
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.issueErr != nil {
		return "", w.issueErr
	}
	holder := v.Key()
	w.issued++
	if format == content.MDoc {
		return w.issueMdoc(holder)
	}
	laid, err := sdjwt.Build(sdjwt.Template{Claims: map[string]any{"iss": "i", "vct": "v", "iat": w.now.Unix(), "exp": w.now.Add(24 * time.Hour).Unix(), "name": "李秀英",
		"birth_date": "1958-03-12", "classes": []string{"C1"}}, Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("birth_date")}, Holder: &holder, Salts: rand.Reader})
	if err != nil {
		return "", err
	}
	return sdjwt.Issue(w.issuer, nil, laid)
}

// issueMdoc is the other format; the lock is held.
func (w *world) issueMdoc(holder jose.JWK) (string, error) {
	if w.noMdoc {
		return "", hosted.ErrNoForm
	}
	laid, err := mdoc.Build(mdoc.Template{DocType: mdoc.MDL, DeviceKey: holder, Random: rand.Reader, Signed: w.now, ValidFrom: w.now, ValidUntil: w.now.Add(12 * time.Hour),
		NameSpaces: []mdoc.NameSpace{{Name: "org.hufu", Elements: []mdoc.Element{{ID: "name", Value: "李秀英"}}},
			{Name: mdoc.MDLNameSpace, Elements: []mdoc.Element{{ID: "birth_date", Value: mdoc.FullDate("1958-03-12")}, {ID: "issuing_country", Value: "CN"}}}}})
	if err != nil {
		return "", err
	}
	b, err := mdoc.Issue(w.issuer, [][]byte{{0x30}}, laid)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func (w *world) Ensure(ctx context.Context, id string) (jose.SigningKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.keys[id]; !ok {
		k, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			return k, err
		}
		w.keys[id] = k
	}
	return w.keys[id], nil
}

func (w *world) Signer(_ context.Context, id string) (jose.SigningKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone[id] {
		return jose.SigningKey{}, hosted.ErrNotFound
	}
	return w.keys[id], nil
}

func (w *world) Destroy(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, had := w.keys[id]; had || !strings.HasSuffix(id, "-mdoc") { // most copies have no such key: destroying what never was is no error
		w.gone[id] = true
	}
	return nil
}

func (w *world) Client(_ context.Context, id string) (hosted.Client, error) {
	if id != "police" {
		return hosted.Client{}, hosted.ErrNotFound
	}
	return hosted.Client{ID: id, Name: web.Text{ZH: "交管局", EN: "Traffic police"}, RedirectURIs: []string{"https://police.test/cb"}}, nil
}

// The verdict of nobody's bundle is "cannot tell", which is all that these tests need.
func (w *world) Verify(_ context.Context, text, purpose string, at time.Time) (verify.Verdict, error) {
	return verify.Verify(text, nil, verify.Challenge{Purposes: []string{purpose}}, at, verify.Policy{}), nil
}

func (w *world) Purpose(string, string) web.Text { return web.Plain("purpose") }

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

func (w *world) do(method, path, person string, form url.Values, header ...string) answer {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, origin+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if person != "" {
		r.Header.Set("X-Person", person)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Body.String(), rec.Header()}
}

func (w *world) get(path, person string) answer { return w.do("GET", path, person, nil) }

// post sends a form with the token of the person's session.
func (w *world) post(path, person string, values ...string) answer {
	form := url.Values{"csrf": {httpx.FormToken(formKey, "s-"+person)}}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return w.do("POST", path, person, form)
}

func (w *world) take(person string) {
	w.t.Helper()
	if a := w.post("/wallet/take", person, "licence", "L."+person); a.status != http.StatusSeeOther {
		w.t.Fatalf("taking: %d %s", a.status, a.body)
	}
}

var fieldForm = regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`)

// shown takes and shows, and returns the secret and the text.
func (w *world) shown(person, query string) (secret, text string) {
	w.t.Helper()
	page := w.get("/wallet/licences/L."+person+"/show?"+query, person)
	i := strings.Index(page.body, `<form method="post"`)
	if page.status != http.StatusOK || i < 0 {
		w.t.Fatalf("preview: %d %s", page.status, page.body)
	}
	form := url.Values{}
	for _, m := range fieldForm.FindAllStringSubmatch(page.body[i:], -1) {
		form.Set(m[1], m[2])
	}
	a := w.do("POST", "/wallet/licences/L."+person+"/show", person, form)
	if a.status != http.StatusSeeOther {
		w.t.Fatalf("showing: %d %s", a.status, a.body)
	}
	own := w.get(a.header.Get("Location"), person)
	m := regexp.MustCompile(`(?s)<textarea id="shown-presentation"[^>]*>(.*?)</textarea>`).FindStringSubmatch(own.body)
	if m == nil {
		w.t.Fatalf("no text: %d %s", own.status, own.body)
	}
	return strings.TrimPrefix(a.header.Get("Location"), "/wallet/shown/"), m[1]
}

// said is what a presentation says, checked by the issuer's key and the key binding.
func (w *world) said(text, audience, nonce string) (map[string]any, error) {
	w.t.Helper()
	p, err := sdjwt.Parse(text)
	if err != nil {
		w.t.Fatal(err)
	}
	pub, err := w.issuer.Public()
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := p.Verify(pub)
	if err != nil {
		return nil, err
	}
	kb, err := v.KeyBinding()
	if err != nil {
		return nil, err
	}
	if nonce == "" {
		u, _ := p.UnverifiedBinding()
		nonce = u.Nonce
	}
	return p.UnverifiedClaims(), kb.Check(sdjwt.Challenge{Nonce: nonce, Audience: audience, At: w.clock()})
}

func (w *world) count(query string) int {
	w.t.Helper()
	var n int
	if err := w.db.QueryRow(w.t.Context(), query).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
