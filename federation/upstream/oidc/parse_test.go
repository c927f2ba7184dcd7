package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
)

func FuzzPushed(f *testing.F) {
	f.Add([]byte(`{"request_uri":"urn:ietf:params:oauth:request_uri:bwc4JK-ESC0w8acc191e-Y1LTC2","expires_in":60}`)) // RFC 9126 section 2.2
	f.Add([]byte(`{"request_uri":"urn:x","expires_in":0}`))
	f.Add([]byte(`{"error":"invalid_request"}`))
	f.Add([]byte(`{"request_uri":"https://p.example/r#\u2028","expires_in":1e3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reference, err := parsePushed(body)
		if err != nil {
			return
		}
		if u, err := url.Parse(reference); err != nil || !u.IsAbs() || len(reference) > maxRequestURI || strings.ContainsAny(reference, "\r\n\t ") {
			t.Errorf("took %q", reference)
		}
	})
}

func FuzzNonce(f *testing.F) {
	f.Add("eyJ7S_zG.eyJH0-Z.HX4w-7v", 400, `{"error":"use_dpop_nonce"}`, "") // RFC 9449 section 8
	f.Add("eyJ7S_zG.eyJH0-Z.HX4w-7v", 401, "", `DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"`)
	f.Add("a\\b", 401, "", `DPOP Error="use_dpop_nonce"`)
	f.Add("", 400, `{"error":"invalid_grant"}`, "Bearer")
	f.Fuzz(func(t *testing.T, raw string, status int, body, challenge string) {
		var n nonce
		h := http.Header{}
		h["Dpop-Nonce"] = []string{raw}
		h["Www-Authenticate"] = []string{challenge}
		if got := n.take(h); got != n.get() || got != "" && (got != raw || strings.ContainsAny(got, " \"\\\r\n\x00\x7f") || len(got) > maxNonce) {
			t.Errorf("took %q", got)
		}
		if wantsNonce(&httpx.Response{Status: status, Header: h, Body: []byte(body)}) && status != http.StatusBadRequest && status != http.StatusUnauthorized {
			t.Errorf("status %d", status)
		}
	})
}

// Two nonces in one answer are none: which one counts is anybody's guess.
func TestNonceTwice(t *testing.T) {
	var n nonce
	if n.take(http.Header{"Dpop-Nonce": {"a", "b"}}) != "" || n.take(http.Header{"Dpop-Nonce": {"a"}}) != "a" || n.take(http.Header{}) != "" || n.get() != "a" {
		t.Errorf("kept %q", n.get())
	}
}
