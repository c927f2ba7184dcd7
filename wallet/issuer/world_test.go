package issuer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/issuerstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/status"
)

const (
	traffic    = "1199440000TRY002X9"
	market     = "1199440000TRY0011H"
	driving    = "driving-licence"
	hygiene    = "hygiene-permit"
	licenceLi  = "1.2.156.3005.2.1199000000TRY00383001.1199440000TRY002X9.LI1.001.H"
	licenceLi0 = "1.2.156.3005.2.1199000000TRY00383001.1199440000TRY002X9.LI0.001.H"
	personLi   = "person-li"
)

// register is a small register: licences with a holder and a state.
type register struct {
	mu      sync.Mutex
	holders map[string]string
	refs    map[string]string
	state   map[string]error
	who     map[string]bool // suspended persons
	order   []string
	claims  map[string]any
	byHand  bool // the traffic police release each licence
}

func newRegister() *register {
	return &register{
		holders: map[string]string{licenceLi: personLi, licenceLi0: personLi}, refs: map[string]string{"li-xiuying": licenceLi},
		state: map[string]error{}, who: map[string]bool{}, order: []string{licenceLi, licenceLi0},
		claims: map[string]any{"licence_id": "LI1", "name": "李秀英", "class": "C1"},
	}
}

func (r *register) set(fn func()) { r.mu.Lock(); defer r.mu.Unlock(); fn() }

func (r *register) OfPerson(_ context.Context, p issuer.Person, authority, typeID string) (ids []string, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.order {
		if r.holders[id] == p.Document && r.state[id] == nil && authority == traffic && typeID == driving {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (r *register) OfReference(_ context.Context, authority, ref, typeID string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := r.refs[ref]; id != "" && authority == traffic && typeID == driving {
		return []string{id}, nil
	}
	return nil, nil
}

func (r *register) Licence(ctx context.Context, id string) (issuer.Licence, error) {
	return r.Hold(ctx, id, issuer.Person{})
}

func (r *register) Hold(_ context.Context, id string, p issuer.Person) (issuer.Licence, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	holder, ok := r.holders[id]
	if !ok || p.ID != "" && p.Document != holder {
		return issuer.Licence{}, issuer.ErrNoLicence
	}
	if err := r.state[id]; err != nil {
		return issuer.Licence{ID: id, Issuer: traffic, TypeID: driving}, err
	}
	return issuer.Licence{ID: id, Issuer: traffic, TypeID: driving, Claims: r.claims}, nil
}

func (r *register) Person(_ context.Context, id string) (issuer.Person, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.who[id] {
		return issuer.Person{}, issuer.ErrPersonInactive
	}
	return issuer.Person{ID: id, Document: id}, nil
}

func (r *register) Authorities(context.Context) ([]issuer.Authority, error) {
	text := func(zh, en string) []issuer.Display {
		return []issuer.Display{{Locale: "zh-Hans", Name: zh}, {Locale: "en", Name: en}}
	}
	claims := []issuer.Claim{
		{Path: sdjwt.P("licence_id"), Mandatory: true, Selective: true, Display: text("证照标识", "Licence identifier")},
		{Path: sdjwt.P("name"), Mandatory: true, Selective: true, Display: text("姓名", "Name")},
		{Path: sdjwt.P("class"), Mandatory: true, Display: text("准驾车型", "Class")},
		{Path: sdjwt.P("restriction"), Selective: true, Display: text("限制", "Restriction")},
	}
	return []issuer.Authority{
		{Code: traffic, Approves: r.byHand, Display: text("沙箱省公安厅交通管理局", "Sandbox traffic police"), Types: []issuer.CredentialType{{ID: driving,
			VCT: "http://hufu.test/types/driving-licence/1", VCTIntegrity: "sha256-AAAA", Display: text("机动车驾驶证", "Driving licence"),
			RequiredACR: "loa3", Claims: claims}}},
		{Code: market, Display: text("沙箱省市场监督管理局", "Sandbox market regulator"), Types: []issuer.CredentialType{{ID: hygiene,
			VCT: "http://hufu.test/types/hygiene-permit/1", VCTIntegrity: "sha256-AAAA", Display: text("卫生许可证", "Hygiene permit"), RequiredACR: "loa2"}}},
	}, nil
}

// tokens is a small authorization server: it hands out opaque tokens for what it is told.
type tokens struct {
	mu  sync.Mutex
	all map[string]issuer.AccessToken
	aud map[string]string
}

func (s *tokens) put(bearer, audience string, t issuer.AccessToken) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[bearer], s.aud[bearer] = t, audience
	return bearer
}

func (s *tokens) Validate(_ context.Context, bearer, audience string) (issuer.AccessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.all[bearer]
	if !ok || s.aud[bearer] != audience {
		return issuer.AccessToken{}, issuer.ErrInvalidToken
	}
	return t, nil
}

// department authenticates by a header.
type department struct{}

func (department) Authenticate(r *http.Request) (string, error) {
	if code := r.Header.Get("X-Department"); code != "" {
		return code, nil
	}
	return "", issuer.ErrNotADepartment
}

// signers hold one key; onSign is called before each signature.
type signers struct {
	key    jose.SigningKey
	chain  [][]byte
	onSign func()
}

type watched struct {
	crypto.Signer
	s *signers
}

func (w watched) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if w.s.onSign != nil {
		w.s.onSign()
	}
	return w.Signer.Sign(random, digest, o)
}

func (s *signers) Signer(context.Context, string, issuer.Format) (issuer.Signer, error) {
	k := s.key
	k.Key = watched{k.Key, s}
	return issuer.Signer{Key: k, Chain: s.chain}, nil
}

func (s *signers) JWKS(context.Context, string) ([]jose.JWK, error) {
	pub, err := s.key.Public()
	return []jose.JWK{pub}, err
}

// world is one or more nodes over one database, with everything around them.
type world struct {
	t        testing.TB
	dsn      string
	db       *sqlstore.DB
	issuer   *issuer.Issuer
	store    issuer.Store
	register *register
	tokens   *tokens
	signers  *signers
	server   *httptest.Server
	wallet   *wallet.Wallet
	change   []func(*issuer.Config)

	mu  sync.Mutex
	now time.Time
}

func (w *world) Now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) advance(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

var secret = []byte("0123456789abcdef0123456789abcdef")

// each runs the test on both engines.
func each(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { run(t, newWorld(t, sqltest.DSN(t, engine))) })
	}
}

func newWorld(t testing.TB, dsn string, change ...func(*issuer.Config)) *world {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	w := &world{t: t, dsn: dsn, register: newRegister(), tokens: &tokens{all: map[string]issuer.AccessToken{}, aud: map[string]string{}},
		signers: &signers{key: key}, now: time.Now(), change: change}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	w.server = httptest.NewServer(httpx.Wrap(router, httpx.Options{}))
	t.Cleanup(w.server.Close)
	w.start()
	w.issuer.Routes(router)
	router.HandleFunc("/.well-known/oauth-authorization-server", func(rw http.ResponseWriter, _ *http.Request) {
		httpx.WriteJSON(rw, 200, map[string]string{"issuer": w.server.URL, "token_endpoint": w.server.URL + "/token",
			"authorization_endpoint": w.server.URL + "/authorize"})
	})
	router.HandleFunc("/token", w.token)
	w.wallet = wallet.New(wallet.Options{Now: w.Now})
	return w
}

// start opens the database and makes the issuer of this node.
func (w *world) start() {
	w.db = sqltest.Open(w.t, w.dsn)
	w.store = &swap{Store: issuerstore.New(w.db)}
	st, err := status.New(status.Config{Store: statusstore.New(w.db), Tx: w.db.InTx,
		Audit: func(ctx context.Context, ev audit.Event) error { return w.db.Audit(ctx, ev) }, BaseURL: w.server.URL, Now: w.Now,
		Signer: func(context.Context) (jose.SigningKey, [][]byte, error) { return w.signers.key, nil, nil }})
	must(w.t, err)
	cfg := issuer.Config{Origin: w.server.URL, Secret: secret, Store: w.store, Tx: w.db.InTx,
		Authorities: w.register, Licences: w.register, Persons: w.register, Status: statusPort{st}, Signers: w.signers, Tokens: w.tokens,
		Departments: department{}, Now: w.Now, Log: slog.New(slog.DiscardHandler)}
	for _, change := range w.change {
		change(&cfg)
	}
	w.issuer, err = issuer.New(context.Background(), cfg)
	must(w.t, err)
}

// swap lets a test put something between the issuer and its store.
type swap struct{ issuer.Store }

func (w *world) wrapStore(s issuer.Store) {
	if f, ok := s.(*faulty); ok {
		f.Store = w.store.(*swap).Store
	}
	w.store.(*swap).Store = s
}

// another is a second node over the same database: own connections, own issuer, same secret, register and clock.
func (w *world) another() *world {
	n := &world{t: w.t, dsn: w.dsn, register: w.register, tokens: w.tokens, signers: w.signers, server: w.server, wallet: w.wallet, now: w.now, change: w.change}
	n.start()
	return n
}

type statusPort struct{ s *status.Service }

func (p statusPort) Allocate(ctx context.Context, licence string, issuances []string, typeID string, expires time.Time) (out []issuer.StatusRef, _ error) {
	refs, err := p.s.AllocateBatch(ctx, licence, issuances, typeID, expires)
	for _, r := range refs {
		out = append(out, issuer.StatusRef{URI: r.URI, Index: r.Index})
	}
	return out, err
}

func (p statusPort) Retire(ctx context.Context, refs []issuer.StatusRef, at time.Time) error {
	var out []status.Ref
	for _, r := range refs {
		out = append(out, status.Ref{URI: r.URI, Index: r.Index})
	}
	return p.s.Retire(ctx, out, at)
}

// token is the token endpoint, as far as a pre-authorized code needs one.
func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	form, err := httpx.Form(r)
	if err != nil {
		httpx.WriteJSON(rw, 400, map[string]string{"error": "invalid_request"})
		return
	}
	red, err := w.issuer.Redeem(r.Context(), form.Get("pre-authorized_code"), form.Get("tx_code"))
	if err != nil {
		httpx.WriteJSON(rw, 400, map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	bearer := w.tokens.put("tok-"+red.OfferID, red.Audience[0], issuer.AccessToken{GrantID: red.OfferID, OfferID: red.OfferID,
		Scopes: red.Scopes, ClientID: form.Get("client_id")})
	httpx.WriteJSON(rw, 200, map[string]any{"access_token": bearer, "token_type": "Bearer"})
}

// personToken is a token of the authorization code flow for Li Xiuying.
func (w *world) personToken(acr string) string {
	name := "person-token-" + rand.Text()
	return w.tokens.put(name, w.issuer.Identifier(traffic), issuer.AccessToken{GrantID: name, PersonID: personLi, ClientID: "wallet",
		Scopes: []string{driving}, ACR: acr})
}

func (w *world) offer() issuer.OfferView {
	w.t.Helper()
	v, err := w.issuer.CreateOffer(context.Background(), issuer.OfferRequest{LicenceID: licenceLi, PersonID: personLi, ACR: "loa3"})
	must(w.t, err)
	return v
}

// count counts rows of a table.
func (w *world) count(table string) int {
	w.t.Helper()
	var n int
	must(w.t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&n))
	return n
}

// audited counts audit events of a kind.
func (w *world) audited(kind string) int {
	w.t.Helper()
	var n int
	must(w.t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM audit_events WHERE kind = $1`, kind).Scan(&n))
	return n
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) code() string {
	var e struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(a.body, &e)
	return e.Error
}

func (w *world) send(method, path, contentType, body string, header ...string) answer {
	w.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = w.server.URL + path
	}
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	must(w.t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return answer{resp.StatusCode, resp.Header, b}
}

// nonce asks the nonce endpoint.
func (w *world) nonce() string {
	w.t.Helper()
	var n struct {
		Nonce string `json:"c_nonce"`
	}
	a := w.send("POST", "/i/"+traffic+"/nonce", "", "")
	must(w.t, json.Unmarshal(a.body, &n))
	return n.Nonce
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
