package wallet_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/provider"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const vct = "https://types.test/licence/1"

// issuer is a Credential Issuer with everything optional, written from the specification alone; each flag makes it misbehave in one way.
type issuer struct {
	*httptest.Server
	t   *testing.T
	key jose.SigningKey
	enc *ecdh.PrivateKey

	deferTimes int  // how often it puts a credential off
	required   bool // encryption_required
	identified bool // answers credential_identifiers

	sameKey, otherKey, otherType, plain, tooMany, otherTransaction, noInterval, bearer bool

	mu       sync.Mutex
	waiting  []jose.JWK
	notified []string
	seen     map[string]any // the last Credential Request
	refused  int
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	var err error
	i.key, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	i.enc, err = ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) metadata() map[string]any {
	pub, err := jwe.PublicKey(i.enc.PublicKey(), "enc-1")
	must(i.t, err)
	return map[string]any{"credential_issuer": i.URL + "/t", "authorization_servers": []string{i.URL}, "credential_endpoint": i.URL + "/credential", "nonce_endpoint": i.URL + "/nonce",
		"deferred_credential_endpoint": i.URL + "/deferred", "notification_endpoint": i.URL + "/notification", "batch_credential_issuance": map[string]any{"batch_size": 10},
		"credential_request_encryption":  map[string]any{"jwks": map[string]any{"keys": []any{pub}}, "enc_values_supported": []string{"A256GCM"}, "encryption_required": i.required},
		"credential_response_encryption": map[string]any{"alg_values_supported": []string{"ECDH-ES"}, "enc_values_supported": []string{"A128GCM"}, "encryption_required": i.required},
		"credential_configurations_supported": map[string]any{"licence": map[string]any{"format": "dc+sd-jwt", "vct": vct, "scope": "licence",
			"proof_types_supported": map[string]any{"jwt": map[string]any{"proof_signing_alg_values_supported": []string{"ES256"}}, "attestation": map[string]any{"proof_signing_alg_values_supported": []string{"ES256"}, "key_attestations_required": map[string]any{}}}}}}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-credential-issuer/t":
		write(w, 200, i.metadata())
	case "/.well-known/jwt-vc-issuer/t":
		pub, _ := i.key.Public()
		write(w, 200, map[string]any{"issuer": i.URL + "/t", "jwks": map[string]any{"keys": []any{pub}}})
	case "/.well-known/oauth-authorization-server":
		write(w, 200, map[string]any{"issuer": i.URL, "token_endpoint": i.URL + "/token", "dpop_signing_alg_values_supported": []string{"ES256"}})
	case "/nonce":
		write(w, 200, map[string]any{"c_nonce": "nonce-1"})
	case "/token":
		i.token(w, r)
	case "/credential":
		i.credential(w, r)
	case "/deferred":
		body, seal := i.open(w, r)
		if body["transaction_id"] != "tx-1" {
			write(w, 400, map[string]any{"error": "invalid_transaction_id"})
			return
		}
		i.answer(w, seal)
	case "/notification":
		b, _ := io.ReadAll(r.Body)
		i.notified = append(i.notified, string(b))
		w.WriteHeader(204)
	default:
		w.WriteHeader(404)
	}
}

// token wants a nonce of its own in the DPoP proof, as a server may.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	proof := r.Header.Get("DPoP")
	kind := "Bearer"
	if proof != "" {
		u, err := jose.ParseUnverified(proof, jose.Policy{Typ: []string{"dpop+jwt"}, Algs: []jose.Alg{jose.ES256}, MaxBytes: 8 << 10})
		must(i.t, err)
		v, err := u.Verify(*u.Header.JWK)
		must(i.t, err)
		var c map[string]any
		must(i.t, json.Unmarshal(v.Payload(), &c))
		if c["nonce"] != "as-nonce" {
			i.refused++
			w.Header().Set("DPoP-Nonce", "as-nonce")
			write(w, 400, map[string]any{"error": "use_dpop_nonce"})
			return
		}
		if kind = "DPoP"; i.bearer {
			kind = "Bearer"
		}
	}
	answer := map[string]any{"access_token": "at", "token_type": kind, "refresh_token": "rt"}
	if i.identified {
		answer["authorization_details"] = []any{map[string]any{"type": "openid_credential", "credential_configuration_id": "licence", "credential_identifiers": []string{"L-1", "L-2"}}}
	}
	write(w, 200, answer)
}

// open reads a request, encrypted or not, and returns how the answer is to be sealed.
func (i *issuer) open(w http.ResponseWriter, r *http.Request) (body map[string]any, seal func(any) (string, bool)) {
	b, _ := io.ReadAll(r.Body)
	encrypted := r.Header.Get("Content-Type") == "application/jwt"
	if encrypted {
		o, err := jwe.Decrypt(string(b), jwe.Policy{Encs: []string{"A256GCM"}}, jwe.Recipient{ID: "enc-1", Key: i.enc})
		must(i.t, err)
		b = o.Payload
	}
	must(i.t, json.Unmarshal(b, &body))
	want, _ := body["credential_response_encryption"].(map[string]any)
	if want != nil && !encrypted {
		i.t.Error("an encrypted answer is asked for in the clear")
	}
	return body, func(v any) (string, bool) {
		if want == nil || i.plain {
			return "", false
		}
		raw, _ := json.Marshal(want["jwk"])
		key, err := jose.ParseJWK(raw)
		must(i.t, err)
		text, _ := json.Marshal(v)
		token, err := jwe.Encrypt(key, want["enc"].(string), jwe.Header{}, text)
		must(i.t, err)
		return token, true
	}
}

func (i *issuer) credential(w http.ResponseWriter, r *http.Request) {
	body, seal := i.open(w, r)
	i.seen, i.waiting = body, nil
	if !strings.HasSuffix(r.Header.Get("Authorization"), " at") {
		w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
		w.WriteHeader(401)
		return
	}
	proofs, _ := body["proofs"].(map[string]any)
	for kind, list := range proofs {
		for _, p := range list.([]any) {
			i.proof(kind, p.(string))
		}
	}
	i.answer(w, seal)
}

func (i *issuer) proof(kind, text string) {
	typ := map[string]string{"jwt": "openid4vci-proof+jwt", "attestation": "key-attestation+jwt"}[kind]
	u, err := jose.ParseUnverified(text, jose.Policy{Typ: []string{typ}, Algs: []jose.Alg{jose.ES256}, MaxBytes: 64 << 10})
	must(i.t, err)
	if kind == "jwt" {
		v, err := u.Verify(*u.Header.JWK)
		must(i.t, err)
		var c map[string]any
		must(i.t, json.Unmarshal(v.Payload(), &c))
		if c["nonce"] != "nonce-1" || c["aud"] != i.URL+"/t" {
			i.t.Errorf("proof %v", c)
		}
		i.waiting = append(i.waiting, v.Key())
		return
	}
	if len(u.Header.X5C) != 1 {
		i.t.Errorf("a key attestation with %d certificates", len(u.Header.X5C))
	}
	var c struct {
		Nonce string     `json:"nonce"`
		Keys  []jose.JWK `json:"attested_keys"`
	}
	must(i.t, json.Unmarshal(payload(i.t, text), &c))
	if c.Nonce != "nonce-1" {
		i.t.Errorf("the key attestation answers %q", c.Nonce)
	}
	i.waiting = append(i.waiting, c.Keys...)
}

func (i *issuer) answer(w http.ResponseWriter, seal func(any) (string, bool)) {
	status, answer := 200, map[string]any{"notification_id": "note-1"}
	if i.deferTimes > 0 {
		i.deferTimes--
		status, answer = 202, map[string]any{"transaction_id": "tx-1", "interval": 1}
		if i.otherTransaction && i.deferTimes == 0 {
			answer["transaction_id"] = "tx-2"
		}
		if i.noInterval {
			delete(answer, "interval")
		}
	} else {
		answer["credentials"] = i.make()
	}
	if token, sealed := seal(answer); sealed {
		w.Header().Set("Content-Type", "application/jwt")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, token)
		return
	}
	write(w, status, answer)
}

func (i *issuer) make() (out []map[string]string) {
	keys := slices.Clone(i.waiting)
	switch {
	case i.otherKey:
		k, _ := jose.GenerateKey(jose.ES256)
		keys[0], _ = k.Public()
	case i.sameKey:
		keys[1] = keys[0]
	case i.tooMany:
		keys = append(keys, keys[0])
	}
	for _, key := range keys {
		key, err := jose.FromPublic(key.Public(), "", "")
		must(i.t, err)
		claims := map[string]any{"iss": i.URL + "/t", "vct": vct, "name": "李秀英"}
		if i.otherType {
			claims["vct"] = vct + "0"
		}
		l, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: []sdjwt.Path{sdjwt.P("name")}, Holder: &key, Salts: rand.Reader})
		must(i.t, err)
		text, err := sdjwt.Issue(i.key, nil, l)
		must(i.t, err)
		out = append(out, map[string]string{"credential": text})
	}
	return out
}

func payload(t *testing.T, jwt string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	must(t, err)
	return b
}

func (i *issuer) link() string {
	o, _ := json.Marshal(map[string]any{"credential_issuer": i.URL + "/t", "credential_configuration_ids": []string{"licence"},
		"grants": map[string]any{"urn:ietf:params:oauth:grant-type:pre-authorized_code": map[string]any{"pre-authorized_code": "code"}}})
	return "openid-credential-offer://?" + url.Values{"credential_offer": {string(o)}}.Encode()
}

// take takes with a wallet made by o.
func (i *issuer) take(o wallet.Options, to wallet.TakeOptions) (*wallet.Wallet, wallet.Issuer, wallet.Token, wallet.Batch, error) {
	ctx := context.Background()
	w := wallet.New(o)
	offer, err := w.ReadOffer(ctx, i.link())
	must(i.t, err)
	meta, err := w.Discover(ctx, offer.Issuer)
	must(i.t, err)
	token, err := w.Redeem(ctx, meta, offer, "")
	if err != nil {
		return w, meta, token, wallet.Batch{}, err
	}
	b, err := w.Take(ctx, meta, "licence", token, to)
	return w, meta, token, b, err
}

func TestTakesABatchBoundToItsKeys(t *testing.T) {
	i := newIssuer(t)
	w, meta, token, b, err := i.take(wallet.Options{DPoP: true}, wallet.TakeOptions{Copies: 5})
	must(t, err)
	seen := map[string]bool{}
	for _, c := range b.Copies {
		seen[c.Key.String()] = true
		text, err := c.PresentOnly("a", "n", time.Now(), sdjwt.P("name"))
		must(t, err)
		p, err := sdjwt.Parse(text)
		must(t, err)
		if !p.HasKeyBinding() {
			t.Error("no key binding")
		}
	}
	if len(seen) != 5 || len(w.Credentials()) != 5 || i.refused != 1 {
		t.Errorf("%d keys, %d kept, nonce asked for %d times", len(seen), len(w.Credentials()), i.refused)
	}
	if i.seen["credential_configuration_id"] != "licence" || i.seen["credential_identifier"] != nil {
		t.Errorf("%v", i.seen)
	}
	must(t, w.Notify(context.Background(), meta, token, b.NotificationID, wallet.Accepted))
	if len(i.notified) != 1 || !strings.Contains(i.notified[0], `"note-1"`) || !strings.Contains(i.notified[0], "credential_accepted") {
		t.Errorf("%v", i.notified)
	}
	if _, err := w.Refresh(context.Background(), meta, token); err != nil {
		t.Error(err)
	}
}

func TestAsksByIdentifierWhenTheTokenHasSome(t *testing.T) {
	i := newIssuer(t)
	i.identified = true
	_, _, _, _, err := i.take(wallet.Options{}, wallet.TakeOptions{})
	must(t, err)
	if i.seen["credential_identifier"] != "L-1" || i.seen["credential_configuration_id"] != nil {
		t.Errorf("%v", i.seen)
	}
	_, _, _, _, err = i.take(wallet.Options{}, wallet.TakeOptions{Identifier: "L-2"})
	must(t, err)
	if i.seen["credential_identifier"] != "L-2" {
		t.Errorf("%v", i.seen)
	}
}

func TestEncryptsWhenItWantsOrMust(t *testing.T) {
	for name, required := range map[string]bool{"wanted": false, "required": true} {
		i := newIssuer(t)
		i.required = required
		_, _, _, b, err := i.take(wallet.Options{Encrypt: !required}, wallet.TakeOptions{Copies: 2})
		if err != nil || len(b.Copies) != 2 || i.seen["credential_response_encryption"] == nil {
			t.Errorf("%s: %v %v", name, err, i.seen)
		}
		i.plain = true
		if _, _, _, _, err := i.take(wallet.Options{Encrypt: !required}, wallet.TakeOptions{}); !errors.Is(err, wallet.ErrIssuer) {
			t.Errorf("%s: an answer in the clear: %v", name, err)
		}
	}
	i := newIssuer(t)
	_, _, _, _, err := i.take(wallet.Options{}, wallet.TakeOptions{})
	if err != nil || i.seen["credential_response_encryption"] != nil {
		t.Errorf("neither: %v %v", err, i.seen)
	}
}

func TestWaitsForADeferredCredential(t *testing.T) {
	i := newIssuer(t)
	i.deferTimes = 2
	begin := time.Now()
	_, _, _, b, err := i.take(wallet.Options{Encrypt: true, DPoP: true}, wallet.TakeOptions{Copies: 2, Wait: time.Minute})
	if err != nil || len(b.Copies) != 2 || time.Since(begin) < 2*time.Second {
		t.Errorf("%v %d copies after %v", err, len(b.Copies), time.Since(begin))
	}

	// Without waiting it can go on later, also after the program ended.
	i.deferTimes = 1
	w, meta, token, _, err := i.take(wallet.Options{DPoP: true}, wallet.TakeOptions{Copies: 2})
	var later *wallet.PendingError
	if !errors.As(err, &later) || !errors.Is(err, wallet.ErrPending) {
		t.Fatal(err)
	}
	raw, err := w.SaveSession(wallet.Session{Issuer: meta.ID, Server: meta.Server.Issuer, Token: token, Pending: &later.Pending})
	must(t, err)
	again := wallet.New(wallet.Options{DPoP: true})
	s, err := again.LoadSession(raw)
	must(t, err)
	b, err = again.Resume(context.Background(), meta, "licence", s.Token, *s.Pending, 0)
	if err != nil || len(b.Copies) != 2 {
		t.Errorf("%v %d", err, len(b.Copies))
	}
	s.Pending.TransactionID = "tx-9"
	var answered *wallet.ErrorResponse
	if _, err := again.Resume(context.Background(), meta, "licence", s.Token, *s.Pending, 0); !errors.As(err, &answered) || answered.Code != "invalid_transaction_id" {
		t.Error(err)
	}
}

func TestProvesByKeyAttestation(t *testing.T) {
	p, err := provider.New("w", "https://provider.test", provider.HAIP, time.Now())
	must(t, err)
	i := newIssuer(t)
	_, _, _, b, err := i.take(wallet.Options{Attester: p}, wallet.TakeOptions{Copies: 3, Attestation: true})
	if err != nil || len(b.Copies) != 3 {
		t.Fatal(err)
	}
	proofs := i.seen["proofs"].(map[string]any)
	if len(proofs) != 1 || len(proofs["attestation"].([]any)) != 1 {
		t.Errorf("%v", proofs)
	}
	if _, _, _, _, err := i.take(wallet.Options{}, wallet.TakeOptions{Attestation: true}); err == nil {
		t.Error("without a provider")
	}
}

// Each is the happy path of the tests above with one thing wrong in the issuer's answer.
func TestRefusesWhatAnIssuerMustNotAnswer(t *testing.T) {
	for name, spoil := range map[string]func(*issuer){
		"for another key":                   func(i *issuer) { i.otherKey = true },
		"two for one key":                   func(i *issuer) { i.sameKey = true },
		"of another type":                   func(i *issuer) { i.otherType = true },
		"more than asked for":               func(i *issuer) { i.tooMany = true },
		"a bearer token for a DPoP proof":   func(i *issuer) { i.bearer = true },
		"another transaction half way":      func(i *issuer) { i.deferTimes, i.otherTransaction = 2, true },
		"put off without an interval":       func(i *issuer) { i.deferTimes, i.noInterval = 1, true },
		"signed by a key that nobody shows": func(i *issuer) { i.t.Helper(); k, _ := jose.GenerateKey(jose.ES256); i.key.Key = k.Key },
	} {
		i := newIssuer(t)
		if strings.HasPrefix(name, "signed") {
			// The key that is shown stays, the one that signs changes.
			shown := i.key
			spoil(i)
			i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/.well-known/jwt-vc-issuer") {
					pub, _ := shown.Public()
					write(w, 200, map[string]any{"issuer": i.URL + "/t", "jwks": map[string]any{"keys": []any{pub}}})
					return
				}
				i.ServeHTTP(w, r)
			})
		} else {
			spoil(i)
		}
		w, _, _, _, err := i.take(wallet.Options{DPoP: true}, wallet.TakeOptions{Copies: 2, Wait: time.Minute})
		if !errors.Is(err, wallet.ErrIssuer) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.Credentials()) != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}
