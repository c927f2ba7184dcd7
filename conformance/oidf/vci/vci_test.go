//go:build conformance

package vci

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
)

// TestDelivery: what the suite waits for comes once: an offer, then its code, then the second client's; by reference and by value in turn.
func TestDelivery(t *testing.T) {
	exposed := map[string]string{}
	var got []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/runner/1", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"exposed": exposed})
	})
	var base string
	mux.HandleFunc("GET /credential_offer", func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.RawQuery)
		exposed["tx_code_endpoint"] = base + "/tx_code?code=your_tx_code"
	})
	mux.HandleFunc("GET /tx_code", func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, "code "+r.FormValue("code"))
		delete(exposed, "tx_code_endpoint")
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	base = srv.URL
	link := func(member, value string) string {
		return "openid-credential-offer://?" + url.Values{member: {value}}.Encode()
	}
	for _, c := range []struct {
		plan Plan
		code string
		want []string
	}{
		{Plan{PreAuthorized: true}, "123456", []string{"credential_offer_uri=r", "code 123456", "credential_offer=v", "code 123456"}},
		{Plan{Offered: true}, "", []string{"credential_offer_uri=r"}},
	} {
		got, exposed = nil, map[string]string{"credential_offer_endpoint": base + "/credential_offer"}
		d := &Delivery{suite: &suite.Suite{Base: base, HTTP: srv.Client()}, plan: c.plan, offer: func(context.Context) (offer, error) {
			return offer{URI: link("credential_offer_uri", "r"), Value: link("credential_offer", "v"), TxCode: c.code}, nil
		}}
		for range 4 {
			if err := d.Do(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.plan, got, c.want)
		}
	}
}

// TestPlansDiffer: no two plans are the same run, and a name finds its own.
func TestPlansDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, p := range Plans {
		b, err := json.Marshal(p.Variant())
		if err != nil {
			t.Fatal(err)
		}
		key := p.Suite() + string(b)
		if other := seen[key]; other != "" || Named(p.Name) != p {
			t.Errorf("%s is %s again, or isn't found by its name", p.Name, other)
		}
		seen[key] = p.Name
	}
}

// TestProviderKeysHaveTheirCertificates: what the suite gets is a private key with the leaf, and never the anchor.
func TestProviderKeysHaveTheirCertificates(t *testing.T) {
	p, err := NewProvider()
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []struct {
			D, Alg, Kid string
			X5C         []string
		}
	}
	if err := json.Unmarshal(p.Config().Attester, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0].D == "" || set.Keys[0].Alg != "ES256" || len(set.Keys[0].X5C) != 1 {
		t.Errorf("%+v", set)
	}
}
