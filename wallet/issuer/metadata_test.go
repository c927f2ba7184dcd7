package issuer_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

// openSigned checks a compact JWS with the standard library alone: ES256 by the leaf of x5c.
func openSigned(t *testing.T, token string) (header, payload map[string]any, leaf *x509.Certificate) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q", token)
	}
	var raw [3][]byte
	for n, p := range parts {
		var err error
		raw[n], err = base64.RawURLEncoding.DecodeString(p)
		must(t, err)
	}
	must(t, json.Unmarshal(raw[0], &header))
	must(t, json.Unmarshal(raw[1], &payload))
	chain, _ := header["x5c"].([]any)
	if len(chain) == 0 {
		t.Fatalf("no x5c: %v", header)
	}
	der, err := base64.StdEncoding.DecodeString(chain[0].(string))
	must(t, err)
	leaf, err = x509.ParseCertificate(der)
	must(t, err)
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])
	if len(raw[2]) != 64 || !ecdsa.Verify(leaf.PublicKey.(*ecdsa.PublicKey), sum[:], r, s) {
		t.Error("the signature doesn't verify")
	}
	return header, payload, leaf
}

func TestSignedMetadata(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "traffic"}, NotBefore: w.Now().Add(-time.Hour), NotAfter: w.Now().Add(time.Hour)}
		key := w.signers.key.Key
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		must(t, err)
		w.signers.chain = [][]byte{der}
		path := "/.well-known/openid-credential-issuer/i/" + traffic
		plain := w.send("GET", path, "", "")
		etag := plain.header.Get("ETag")
		var want map[string]any
		must(t, json.Unmarshal(plain.body, &want))
		if etag == "" || plain.header.Get("Content-Type") != "application/json" || plain.header.Get("Vary") == "" || want["sub"] != nil || want["iat"] != nil {
			t.Fatalf("%v %s", plain.header, plain.body)
		}
		signed := w.send("GET", path, "", "", "Accept", "application/jwt")
		header, got, _ := openSigned(t, string(signed.body))
		if header["typ"] != "openidvci-issuer-metadata+jwt" || header["alg"] != "ES256" || len(header["x5c"].([]any)) != 1 {
			t.Errorf("%v", header)
		}
		if got["sub"] != w.issuer.Identifier(traffic) || got["iat"] != float64(w.Now().Unix()) {
			t.Errorf("%v %v", got["sub"], got["iat"])
		}
		if signed.status != 200 || signed.header.Get("Content-Type") != "application/jwt" || signed.header.Get("Vary") == "" || signed.header.Get("ETag") == etag {
			t.Errorf("%d %v", signed.status, signed.header)
		}
		delete(got, "sub")
		delete(got, "iss")
		delete(got, "iat")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n%v", got, want)
		}
		for accept, jwt := range map[string]bool{
			"application/jwt":                                   true,
			"Application/JWT":                                   true,
			"application/jwt, application/json;q=0.9":           true,
			"application/json;q=0.1, application/jwt;q=0.2":     true,
			"text/html, application/jwt;q=0.5, application/xml": true,
			"application/jwt;q=0.2, application/json;q=0.3":     false,
			"application/jwt, application/json":                 false,
			"application/jwt;q=0":                               false,
			"application/jwt;q=x":                               false,
			"application/jwtx":                                  false,
			"application/json":                                  false,
			"application/*":                                     false,
			"*/*":                                               false,
			";;;,":                                              false,
		} {
			a := w.send("GET", path, "", "", "Accept", accept)
			kind := map[bool]string{true: "application/jwt", false: "application/json"}[jwt]
			vary := strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept")
			if a.status != 200 || a.header.Get("Content-Type") != kind || !vary {
				t.Errorf("%s: %d %v", accept, a.status, a.header)
			}
		}
		// What a cache has of one form is not the other.
		if a := w.send("GET", path, "", "", "If-None-Match", etag); a.status != 304 || len(a.body) != 0 || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept") {
			t.Errorf("%d %v", a.status, a.header)
		}
		if a := w.send("GET", path, "", "", "If-None-Match", etag, "Accept", "application/jwt"); a.status != 200 || a.header.Get("Content-Type") != "application/jwt" {
			t.Errorf("%d %v", a.status, a.header)
		}
		if a := w.send("GET", strings.Replace(path, traffic, "1199440000TRY00000X", 1), "", "", "Accept", "application/jwt"); a.status != 404 || a.code() != "not_found" {
			t.Errorf("unknown: %d %s", a.status, a.body)
		}
	})
}
