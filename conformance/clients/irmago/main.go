// Command irmago is a wallet of others: the library behind Yivi (github.com/privacybydesign/irmago), as its app uses it, without the app. It takes an offer by
// authorization code, verifies what it gets (chain, status list, type metadata by integrity), stores it, and presents it with key binding. It talks with the
// test in lines of JSON as clients/lib.mjs does.
package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/sirupsen/logrus"

	"github.com/privacybydesign/irmago/common/clientmodels"
	"github.com/privacybydesign/irmago/eudi"
	"github.com/privacybydesign/irmago/eudi/credentials/sdjwtvc"
	"github.com/privacybydesign/irmago/eudi/credentials/statuslist"
	eudijwt "github.com/privacybydesign/irmago/eudi/jwt"
	"github.com/privacybydesign/irmago/eudi/openid4vci"
	"github.com/privacybydesign/irmago/eudi/sdjwt"
	"github.com/privacybydesign/irmago/eudi/services"
	"github.com/privacybydesign/irmago/eudi/storage"
	"github.com/privacybydesign/irmago/eudi/storage/db"
	"github.com/privacybydesign/irmago/eudi/storage/filesystem"
)

// config is what the test gives.
type config struct {
	Issuer      string `json:"credential_issuer"`
	RedirectURI string `json:"redirect_uri"`
	Person      string `json:"person"`
	VCT         string `json:"vct"`
	Name        string `json:"name"`
	// Anchors are roots, Between the intermediates below them, DER in base64. The library looks for intermediates among what it knows, not in x5c.
	Anchors []string `json:"anchors"`
	Between []string `json:"between"`
	Strange []string `json:"strange"`
	Dir     string   `json:"dir"`
}

var lines = bufio.NewReaderSize(os.Stdin, 1<<20)

func say(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

func check(name string, ok bool, got any) {
	if ok {
		got = nil
	}
	say(map[string]any{"check": name, "ok": ok, "got": got})
}

// ask lets the test do something and returns what it answers.
func ask(request, answer any) error {
	say(map[string]any{"do": request})
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

func main() {
	var c config
	if err := json.Unmarshal([]byte(os.Getenv("HUFU_TEST")), &c); err != nil {
		panic(err)
	}
	eudi.Logger = logrus.New() // to standard error
	if err := run(c); err != nil {
		say(map[string]any{"fatal": err.Error()})
		os.Exit(1)
	}
	say(map[string]any{"done": true})
}

func pool(list []string) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	for _, text := range list {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		p.AddCert(cert)
	}
	return p, nil
}

// trust is what the wallet believes: chains below the anchors, and status lists.
func trust(anchors, between []string) (sdjwtvc.SdJwtVcVerificationContext, *statuslist.Checker, error) {
	roots, err := pool(anchors)
	if err != nil {
		return sdjwtvc.SdJwtVcVerificationContext{}, nil, err
	}
	intermediates, err := pool(between)
	x := &eudijwt.StaticVerificationContext{VerifyOpts: x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}}
	checker := statuslist.NewChecker(statuslist.VerificationContext{X509Context: x, Clock: eudijwt.NewSystemClock()}, nil)
	return sdjwtvc.SdJwtVcVerificationContext{X509VerificationContext: x, Clock: eudijwt.NewSystemClock(), JwtVerifier: sdjwt.NewJwxJwtVerifier(), StatusChecker: checker}, checker, err
}

// yivi is one installation of the wallet.
type yivi struct {
	client *openid4vci.Client
	store  storage.Storage
	status *statuslist.Checker
	verify sdjwtvc.SdJwtVcVerificationContext
}

func install(dir string, anchors, between []string) (*yivi, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var key [32]byte
	copy(key[:], "a key for a test, known to all...")
	store, err := storage.NewStorageWithDialector(sqlite.Open(dir+"/wallet.db?_pragma=foreign_keys(1)"), filesystem.NewFileSystemStorage(key, dir))
	if err != nil {
		return nil, err
	}
	conf, err := eudi.NewConfiguration(store)
	if err != nil {
		return nil, err
	}
	y := &yivi{store: store}
	if y.verify, y.status, err = trust(anchors, between); err != nil {
		return nil, err
	}
	locale := clientmodels.NewCurrentLocale("en")
	credentials := db.NewCredentialStore(store.Db())
	service := services.NewCredentialService(credentials, db.NewHolderBindingKeyStore(store.Db()), store.FileSystem(), services.NewRevocationService(y.status, credentials), locale)
	y.client, err = openid4vci.NewClient(&http.Client{Timeout: 30 * time.Second, Transport: byScope{}}, conf, sdjwtvc.NewHolderVerificationProcessor(y.verify), service,
		services.NewHolderBindingKeyService(store.Db()), locale)
	if err != nil {
		return nil, err
	}
	y.client.SetAllowInsecureHttp(true) // loopback
	return y, nil
}

// byScope leaves authorization_details out of pushed requests. The library asks by them and by scope at once, and then requests the credential by its
// configuration, which OpenID4VCI 1.0 section 8.2 forbids once the token has credential_identifiers; so it asks by scope alone here.
type byScope struct{}

func (byScope) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/par") {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, err
		}
		form.Del("authorization_details")
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form.Encode())), int64(len(form.Encode()))
		r.GetBody = nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// person answers the wallet's questions.
type person struct {
	c    config
	done chan outcome
}

type outcome struct {
	credentials []*clientmodels.Credential
	failure     *clientmodels.SessionError
}

func (p *person) Success(_ string, got []*clientmodels.Credential) {
	p.done <- outcome{credentials: got}
}
func (p *person) Cancelled() {
	p.done <- outcome{failure: &clientmodels.SessionError{WrappedError: "cancelled"}}
}
func (p *person) Failure(e *clientmodels.SessionError) { p.done <- outcome{failure: e} }
func (p *person) RequestPreAuthorizedCodeFlowPermission(_ *clientmodels.PreAuthorizedCodeFlowPermissionRequest, _ *clientmodels.TrustedParty, answer openid4vci.TokenPermissionHandler) {
	answer(false, nil)
}

func (p *person) RequestAuthorizationCodeFlowPermission(r *clientmodels.AuthorizationCodeFlowRequest, who *clientmodels.TrustedParty, answer openid4vci.AuthCodeHandler) {
	check("the request was pushed", url.Values(r.AuthorizationParameters).Get("request_uri") != "" && len(r.AuthorizationParameters) == 2, r.AuthorizationParameters)
	check("the issuer has a name", who != nil && who.Name != "", who)
	var came struct{ Callback string }
	err := ask(map[string]any{"open": r.AuthorizationEndpoint + "?" + url.Values(r.AuthorizationParameters).Encode(), "callback": p.c.RedirectURI, "person": p.c.Person, "consent": true}, &came)
	answer(err == nil, &came.Callback)
}

func (p *person) RequestPermission(offered []*clientmodels.Credential, _ *clientmodels.TrustedParty, answer openid4vci.PermissionHandler) {
	answer(len(offered) == 1)
}

// take takes the licence by authorization code.
func (y *yivi) take(c config) outcome {
	offer, _ := json.Marshal(map[string]any{"credential_issuer": c.Issuer, "credential_configuration_ids": []string{"driving-licence"}, "grants": map[string]any{"authorization_code": map[string]any{}}})
	p := &person{c, make(chan outcome, 1)}
	y.client.NewSession(1, "openid-credential-offer://?"+url.Values{"credential_offer": {string(offer)}}.Encode(), c.RedirectURI, p)
	select {
	case o := <-p.done:
		return o
	case <-time.After(time.Minute):
		return outcome{failure: &clientmodels.SessionError{WrappedError: "no end after a minute"}}
	}
}

func run(c config) error {
	y, err := install(c.Dir+"/wallet", c.Anchors, c.Between)
	if err != nil {
		return err
	}
	defer y.store.Close()
	got := y.take(c)
	if got.failure != nil {
		return fmt.Errorf("taking: %+v", *got.failure)
	}
	check("one credential", len(got.credentials) == 1, got.credentials)
	claims, _ := json.Marshal(got.credentials)
	check("the holder's name", strings.Contains(string(claims), c.Name), string(claims))

	batches, err := db.NewCredentialStore(y.store.Db()).GetBatchesByVCT(c.VCT)
	if err != nil {
		return err
	}
	check("it is stored", len(batches) == 1 && batches[0].BatchSize >= 1, len(batches))
	if len(batches) != 1 {
		return nil
	}
	instance, err := db.NewCredentialStore(y.store.Db()).GetUnusedInstance(batches[0].ID)
	if err != nil {
		return err
	}
	check("its status stands in a list", instance.StatusListURI != nil, instance)
	if err := y.present(c, sdjwt.SdJwt(instance.RawCredential)); err != nil {
		return err
	}

	// The twin: a wallet that trusts another root refuses the same licence.
	other, err := install(c.Dir+"/other", c.Strange, nil)
	if err != nil {
		return err
	}
	defer other.store.Close()
	again := c
	again.Person = "" // she is logged in
	refused := other.take(again)
	check("a stranger's root: refused", refused.failure != nil && strings.Contains(refused.failure.WrappedError, "certificate"), refused)

	return y.revoked(c, instance.StatusListURI, instance.StatusListIdx)
}

// present shows the name, and lets hufu verify judge it.
func (y *yivi) present(c config, whole sdjwt.SdJwt) error {
	shown, err := sdjwt.CreatePresentation(whole, [][]any{{"name"}})
	if err != nil {
		return err
	}
	binder := sdjwt.NewDefaultKeyBinder(services.NewHolderBindingKeyService(y.store.Db()))
	kb, err := sdjwt.CreateKbJwt(shown, binder, "n-1", "https://verifier.example")
	if err != nil {
		return fmt.Errorf("key binding: %w", err)
	}
	presentation := string(shown) + string(kb)
	strict := y.verify
	strict.ExpectedNonce, strict.ExpectedAudience = "n-1", "https://verifier.example"
	_, err = sdjwtvc.NewVerifierVerificationProcessor(true, strict).ParseAndVerifySdJwtVc(sdjwtvc.SdJwtVcKb(presentation))
	check("its own verifier takes it", err == nil, fmt.Sprint(err))
	var v struct {
		Code    int
		Verdict struct{ Verdict string }
	}
	if err := ask(map[string]any{"verify": map[string]string{"presentation": presentation, "nonce": "n-1", "audience": "https://verifier.example"}}, &v); err != nil {
		return err
	}
	check("hufu verify takes it", v.Code == 0 && v.Verdict.Verdict == "valid", v)
	return nil
}

// revoked waits until the wallet sees the licence revoked in its list.
func (y *yivi) revoked(c config, uri *string, index *uint64) error {
	ref := statuslist.Reference{URI: *uri, Index: *index}
	status, err := y.status.Refresh(context.Background(), ref)
	check("status: valid", err == nil && status == statuslist.StatusValid, fmt.Sprint(status, err))
	var ignored any
	if err := ask(map[string]any{"revoke": c.Person}, &ignored); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(500 * time.Millisecond) {
		if status, err = y.status.Refresh(context.Background(), ref); err == nil && status != statuslist.StatusValid {
			break
		}
	}
	check("status: revoked within a minute", err == nil && status == statuslist.StatusInvalid, fmt.Sprint(status, err))
	return nil
}
