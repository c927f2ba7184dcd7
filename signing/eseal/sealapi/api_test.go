package sealapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/esealstore"
	"github.com/hufu-id/hufu/internal/sqlstore/keystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const (
	maker  = "91990000MA9TRY042P"
	police = "1199440000TRY002X9"
	market = "1199440000TRY0011H"
)

// people are tokens: the organisation and the person, such as "maker 1".
type people struct{}

func (people) Authenticate(_ context.Context, bearer string) (eseal.Person, error) {
	switch name, _, _ := strings.Cut(bearer, "-"); name {
	case "maker":
		return eseal.Person{Organisation: maker, ClientID: bearer}, nil
	case "police":
		return eseal.Person{Organisation: police, ClientID: bearer}, nil
	case "market":
		return eseal.Person{Organisation: market, ClientID: bearer}, nil
	case "nobody":
		return eseal.Person{ClientID: bearer}, nil
	case "weak":
		return eseal.Person{}, sealapi.ErrInsufficientScope
	case "broken":
		return eseal.Person{}, errors.New("the network is gone")
	}
	return eseal.Person{}, sealapi.ErrUnauthenticated
}

type lender struct{ keys *keys.Service }

func lend(s keys.Signer, err error) (eseal.Signer, error) {
	return eseal.Signer{Key: s.Key(), Chain: s.Chain()}, err
}

func (l lender) EnsureSeal(ctx context.Context, id string, o sealvc.Owner, life time.Duration) (eseal.Signer, error) {
	return lend(l.keys.EnsureSingle(ctx, keys.ClassSeal, id, keys.SingleSpec{Life: life, Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: o.Name}}))
}
func (l lender) Seal(ctx context.Context, id string) (eseal.Signer, error) {
	return lend(l.keys.SignerOf(ctx, keys.ClassSeal, id))
}
func (l lender) DestroySeal(ctx context.Context, id string) error {
	return l.keys.DestroySingle(ctx, keys.ClassSeal, id)
}
func (l lender) Maker(ctx context.Context, code string) (eseal.Signer, error) {
	return lend(l.keys.Signer(ctx, keys.SealMaker(code)))
}
func (l lender) MakerJWKS(ctx context.Context, code string) ([]jose.JWK, error) {
	return l.keys.JWKS(ctx, keys.SealMaker(code))
}

type server struct {
	t *testing.T
	*httptest.Server
}

func each(t *testing.T, run func(t *testing.T, s *server)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		kek, _ := keys.NewKEK()
		ks, err := keys.Open(t.Context(), keys.Config{Store: keystore.New(db), KEK: kek})
		if err == nil {
			err = ks.Ensure(t.Context(), keys.SealMaker(maker), keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindSealMaker, Organization: "x"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		register, err := eseal.New(eseal.Config{Origin: "https://id.example", Store: esealstore.New(db), Tx: db.InTx, Audit: db.Audit, Keys: lender{ks},
			Makers: []eseal.Maker{{Code: maker}}})
		if err != nil {
			t.Fatal(err)
		}
		r := mux.NewRouter().SkipClean(true).UseEncodedPath()
		sealapi.New(register, people{}, nil, nil).Routes(r)
		s := &server{t, httptest.NewServer(httpx.Wrap(r, httpx.Options{MaxBody: func(*http.Request) int64 { return sealapi.MaxProposal }}))}
		t.Cleanup(s.Close)
		run(t, s)
	})
}

// do sends a request as a person and returns the status and the answer, which holds no private key (T03).
func (s *server) do(who, method, path, body string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+who)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if regexp.MustCompile(`PRIVATE KEY|"d"\s*:\s*"`).Match(b) {
		s.t.Errorf("T03: %s %s shows a private key", method, path)
	}
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	if resp.StatusCode >= 400 && out["code"] == nil {
		s.t.Errorf("%s %s: %d without a code: %s", method, path, resp.StatusCode, b)
	}
	return resp.StatusCode, out
}

const proposal = `{"operation":"issue","issue":{"owner":{"code":"` + police + `","name":"交管局"},"kind":"99","name":"行政审批专用章","document_kinds":["approval"],"valid_to":"`

func (s *server) issued() string {
	s.t.Helper()
	status, r := s.do("maker-1", "POST", "/seals/v1/requests", proposal+time.Now().AddDate(1, 0, 0).Format(time.DateOnly)+`"}}`)
	if status != 200 {
		s.t.Fatal(r)
	}
	status, done := s.do("maker-2", "POST", "/seals/v1/requests/"+r["id"].(string)+"/approve", "")
	if status != 200 || done["decision"] != "approved" {
		s.t.Fatal(status, done)
	}
	return done["seal"].(string)
}

func TestEveryRefusalHasAStableCode(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.issued()
		digest := strings.Repeat("ab", 32)
		sign := func(request, kind string) string {
			return `{"request_id":"` + request + `","sha256":"` + digest + `","document_kind":"` + kind + `"}`
		}
		_, suspend := s.do("police-1", "POST", "/seals/v1/requests", `{"operation":"suspend","seal":"`+id+`","reason":"丢失"}`)
		request := "/seals/v1/requests/" + suspend["id"].(string)
		for _, c := range []struct {
			who, method, path, body string
			status                  int
			code                    string
		}{
			{"", "GET", "/seals/v1/seals", "", 401, "unauthenticated"},
			{"stranger", "GET", "/seals/v1/seals", "", 401, "unauthenticated"},
			{"nobody", "GET", "/seals/v1/seals", "", 401, "unauthenticated"},
			{"weak", "GET", "/seals/v1/seals", "", 403, "insufficient_scope"},
			{"broken", "GET", "/seals/v1/seals", "", 500, "server_error"},
			{"police-1", "GET", "/seals/v1/seals?limit=0", "", 400, "invalid_request"},
			{"police-1", "GET", "/seals/v1/seals?limit=x", "", 400, "invalid_request"},
			{"police-1", "GET", "/seals/v1/seals?after=%00", "", 400, "invalid_request"},
			{"police-1", "GET", "/seals/v1/seals?a=1&a=1", "", 400, "invalid_request"},
			{"market-1", "GET", "/seals/v1/seals/" + id, "", 404, "seal_not_found"},
			{"police-1", "GET", "/seals/v1/seals/%00", "", 404, "seal_not_found"},
			{"maker-1", "GET", "/seals/v1/seals/" + id + "/uses", "", 404, "seal_not_found"},
			{"market-1", "POST", "/seals/v1/seals/" + id + "/sign", sign("0123456789abcdef", ""), 404, "seal_not_found"},
			{"police-1", "POST", "/seals/v1/seals/" + police + "-99-0000000000/sign", sign("0123456789abcdef", ""), 404, "seal_not_found"},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", sign("0123456789abcdef", "contract"), 403, "kind_not_allowed"}, // S04
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", sign("short", ""), 400, "invalid_request"},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", `{"request_id":1}`, 400, "invalid_request"},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", `{"request_id":"0123456789abcdef","sha256":"` + digest + `","state":"active"}`, 400, "invalid_request"},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", sign("0123456789abcdef", "approval"), 200, ""},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", strings.Replace(sign("0123456789abcdef", "approval"), "abab", "cdab", 1), 409, "request_id_reused"}, // S12
			{"police-1", "POST", "/seals/v1/requests", proposal + `2027-01-01"}}`, 403, "not_a_seal_maker"},
			{"maker-1", "POST", "/seals/v1/requests", `{"operation":"issue"}`, 400, "invalid_request"},
			{"maker-1", "POST", "/seals/v1/requests", `[]`, 400, "invalid_request"},
			{"market-1", "GET", request, "", 404, "request_not_found"},
			{"market-1", "POST", request + "/approve", "", 404, "request_not_found"},
			{"police-2", "POST", "/seals/v1/requests/AAAAAAAAAAAA/approve", "", 404, "request_not_found"},
			{"police-1", "POST", request + "/approve", "", 403, "own_proposal"},
			{"police-2", "POST", request + "/approve", "", 200, ""},
			{"police-2", "POST", request + "/approve", "", 409, "already_decided"},
			{"police-2", "POST", request + "/refuse", "", 409, "already_decided"},
			{"police-1", "POST", "/seals/v1/requests", `{"operation":"suspend","seal":"` + id + `","reason":"丢失"}`, 409, "change_not_possible"},
			{"police-1", "POST", "/seals/v1/seals/" + id + "/sign", sign("0123456789abcdef", "approval"), 409, "seal_not_active"},
			{"", "GET", "/seals/" + id + "/picture", "", 404, "not_found"},
			{"", "GET", "/seals/x/picture", "", 404, "not_found"},
			{"", "GET", "/.well-known/jwt-vc-issuer/seal-makers/" + police, "", 404, "not_found"},
		} {
			status, answer := s.do(c.who, c.method, c.path, c.body)
			if code, _ := answer["code"].(string); status != c.status || code != c.code {
				t.Errorf("%s %s %s %s: %d %v, want %d %s", c.who, c.method, c.path, c.body, status, answer["code"], c.status, c.code)
			}
		}
	})
}

func TestWhatOwnersAndMakersSee(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.issued()
		for _, who := range []string{"police-1", "maker-1"} {
			status, page := s.do(who, "GET", "/seals/v1/seals", "")
			if seals, _ := page["seals"].([]any); status != 200 || len(seals) != 1 || seals[0].(map[string]any)["id"] != id {
				t.Errorf("%s: %v", who, page)
			}
			status, one := s.do(who, "GET", "/seals/v1/seals/"+id, "")
			if history, _ := one["history"].([]any); status != 200 || len(history) != 1 || one["credential"] == "" {
				t.Errorf("%s: %v", who, one)
			}
		}
		if _, page := s.do("market-1", "GET", "/seals/v1/seals", ""); len(page["seals"].([]any)) != 0 {
			t.Errorf("%v", page)
		}
		status, done := s.do("police-1", "POST", "/seals/v1/seals/"+id+"/sign", `{"request_id":"0123456789abcdef","sha256":"`+strings.Repeat("ab", 32)+`"}`)
		if status != 200 || !strings.HasSuffix(done["signature"].(string), "}\n") {
			t.Fatalf("%v", done)
		}
		if _, uses := s.do("police-2", "GET", "/seals/v1/seals/"+id+"/uses", ""); len(uses["uses"].([]any)) != 1 {
			t.Errorf("%v", uses)
		}
	})
}

func TestPublicDocumentsAreCachedAndReadableFromEverywhere(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for path, part := range map[string]string{"/types/e-seal/1": `"vct":"https://id.example/types/e-seal/1"`,
			"/.well-known/jwt-vc-issuer/seal-makers/" + maker: `"issuer":"https://id.example/seal-makers/` + maker + `"`} {
			resp, err := http.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			etag := resp.Header.Get("ETag")
			if resp.StatusCode != 200 || !strings.Contains(string(b), part) || resp.Header.Get("Access-Control-Allow-Origin") != "*" || etag == "" ||
				!strings.Contains(resp.Header.Get("Cache-Control"), "public") {
				t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, b)
			}
			req, _ := http.NewRequest("GET", s.URL+path, nil)
			req.Header.Set("If-None-Match", etag)
			if resp, err = http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusNotModified {
				t.Errorf("%s again: %v, %v", path, resp, err)
			}
			resp.Body.Close()
		}
	})
}
