package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
)

// licence registers one licence and returns its identifier.
func (c *cluster) licence() string {
	c.t.Helper()
	p, _ := sample.NewWorld().Person("li-xiuying")
	report, err := c.nodes[0].register.Import(c.t.Context(), register.Department{Code: traffic, ClientID: "traffic"}, []register.ImportRecord{{Type: "driving-licence",
		RecordNumber: "T-1", Holder: register.Holder{Name: p.Name, Code: p.ResidentID, CodeType: "111", Reference: p.Slug},
		Fields: records.Driving(p, "C1", "2023-05-21", "994400000001"), ValidFrom: "2023-05-21", ValidTo: "2029-05-21"}})
	if err != nil || report.Records[0].LicenceID == "" {
		c.t.Fatal(err, report)
	}
	return report.Records[0].LicenceID
}

// offer makes an offer of the department for a licence: the form that redeems it.
func (c *cluster) offer(licence string) url.Values {
	c.t.Helper()
	v, err := c.nodes[0].issuer.CreateOffer(c.t.Context(), issuer.OfferRequest{LicenceID: licence, Department: traffic})
	if err != nil {
		c.t.Fatal(err)
	}
	link, err := url.Parse(v.ValueURI)
	if err != nil {
		c.t.Fatal(err)
	}
	var o struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	if err := json.Unmarshal([]byte(link.Query().Get("credential_offer")), &o); err != nil {
		c.t.Fatal(err)
	}
	return url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {o.Grants[client.PreAuthorizedCode].Code}, "tx_code": {v.TxCode}}
}

// redeem posts a form to the token endpoint of a node, with one field changed, and returns the error, "" for tokens, or the status that no wallet
// should see.
func (c *cluster) redeem(node int, form url.Values, pair ...string) string {
	v := url.Values{}
	for k, list := range form {
		v[k] = list
	}
	if len(pair) == 2 {
		v.Set(pair[0], pair[1])
	}
	req := httptest.NewRequest(http.MethodPost, testOrigin+"/token", strings.NewReader(v.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	c.nodes[node].Handler().ServeHTTP(rec, req)
	var answer struct {
		Error string `json:"error"`
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	switch {
	case rec.Code == 200 && answer.Token != "":
		return ""
	case rec.Code == 400:
		return answer.Error
	}
	return fmt.Sprintf("%d %s", rec.Code, rec.Body)
}

// together runs f 20 times at once and counts what it returns.
func together(f func(i int) string) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[string]int{}
	for i := range 20 {
		wg.Go(func() {
			s := f(i)
			mu.Lock()
			defer mu.Unlock()
			got[s]++
		})
	}
	wg.Wait()
	return got
}

func wrongCode(right string) string { return string('0'+(right[0]-'0'+1)%10) + right[1:] }

// wide writes digits as a Chinese keyboard may.
func wide(digits string) string {
	return strings.Map(func(r rune) rune { return r + '０' - '0' }, digits)
}

// TestP01P02OffersAtTheTokenEndpoint: the whole server on two nodes, from the form to the row.
func TestP01P02OffersAtTheTokenEndpoint(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *cluster) {
		licence := c.licence()
		is := func(name, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		form := c.offer(licence)
		is("twin", c.redeem(0, form), "")
		is("P01 twice", c.redeem(1, form), "invalid_grant")
		is("P01 unknown", c.redeem(0, form, "pre-authorized_code", "x"), "invalid_grant")
		is("P01 another offer's code", c.redeem(0, c.offer(licence), "tx_code", form.Get("tx_code")+"0"), "invalid_grant")
		for range 3 {
			form := c.offer(licence)
			if got := together(func(i int) string { return c.redeem(i%2, form) }); got[""] != 1 || got["invalid_grant"] != 19 {
				t.Fatalf("P01 raced: %v", got)
			}
		}
		form = c.offer(licence)
		right := form.Get("tx_code")
		is("P02 missing", c.redeem(0, form, "tx_code", ""), "invalid_request")
		for _, guess := range []string{wide(right), " " + right, right[:5], wrongCode(right)} {
			is(fmt.Sprintf("P02 %q", guess), c.redeem(0, form, "tx_code", guess), "invalid_grant")
		}
		is("twin: right after four wrong ones", c.redeem(1, form), "")
		form = c.offer(licence)
		for i := range 5 {
			is("P02 wrong", c.redeem(i%2, form, "tx_code", wide(form.Get("tx_code"))), "invalid_grant")
		}
		is("P02 right after five wrong ones", c.redeem(1, form), "invalid_grant")
		form = c.offer(licence)
		if got := together(func(i int) string { return c.redeem(i%2, form, "tx_code", wrongCode(form.Get("tx_code"))) }); got["invalid_grant"] != 20 {
			t.Fatalf("P02 raced: %v", got)
		}
		is("P02 right after twenty wrong ones at once", c.redeem(0, form), "invalid_grant")
		// Many guess at once, one of them right: at most one gets tokens, and whoever is right comes in time or not at all.
		form = c.offer(licence)
		got := together(func(i int) string {
			if i == 10 {
				return c.redeem(i%2, form)
			}
			return c.redeem(i%2, form, "tx_code", wrongCode(form.Get("tx_code")))
		})
		if got[""] > 1 || got[""]+got["invalid_grant"] != 20 {
			t.Errorf("P02 one right among twenty: %v", got)
		}
	})
}
