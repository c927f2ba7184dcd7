package jose

import (
	"errors"
	"testing"
)

// RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A, RFC 7638 section 3.1.
const (
	rfc7515A2Key = `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`
	rfc7515A2    = `eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`
	rfc7515A3Key = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`
	rfc7515A3    = `eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`
	rfc8037Key   = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfc8037A4    = `eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg`
	rfc7638Key   = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
)

func TestRFC7515Examples(t *testing.T) {
	rsaKey := mustKey(t, rfc7515A2Key)
	ec, err := ParsePrivateJWK([]byte(rfc7515A3Key))
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ec.Public()
	if err != nil {
		t.Fatal(err)
	}
	ecKey.kid = ""
	v, err := Verify(rfc7515A2, Policy{Typ: []string{""}, Algs: []Alg{RS256}}, rsaKey, ecKey)
	if err != nil {
		t.Fatal(err)
	}
	if string(v.Payload()) != "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}" {
		t.Errorf("payload %q", v.Payload())
	}
	if v, err = Verify(rfc7515A3, Policy{Typ: []string{""}, Algs: []Alg{ES256}}, rsaKey, ecKey); err != nil {
		t.Fatal(err)
	}
	if v.Key().Thumbprint() != ecKey.Thumbprint() {
		t.Error("verified by another key")
	}
	if _, err := Verify(rfc7515A3, Policy{Typ: []string{""}, Algs: []Alg{RS256}}, rsaKey, ecKey); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an algorithm that the policy doesn't name: %v", err)
	}
}

func TestRFC8037Ed25519(t *testing.T) {
	k, err := ParsePrivateJWK([]byte(rfc8037Key))
	if err != nil {
		t.Fatal(err)
	}
	if k.ID != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" { // A.3
		t.Errorf("thumbprint %s", k.ID)
	}
	got, err := Sign(k, Header{NoKeyID: true}, []byte("Example of Ed25519 signing"))
	if err != nil || got != rfc8037A4 {
		t.Errorf("signed %s, %v", got, err)
	}
	pub, _ := k.Public()
	if _, err := Verify(rfc8037A4, Policy{Typ: []string{""}, Algs: []Alg{EdDSA}}, pub.renamed("")); err != nil {
		t.Error(err)
	}
}

func TestRFC7638Thumbprint(t *testing.T) {
	if got := mustKey(t, rfc7638Key).Thumbprint(); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %s", got)
	}
}

func (k JWK) renamed(kid string) JWK {
	k.kid = kid
	return k
}

func mustKey(t testing.TB, text string) JWK {
	t.Helper()
	k, err := ParseJWK([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newKey(t testing.TB, alg Alg) (SigningKey, JWK) {
	t.Helper()
	k, err := GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	return k, pub
}
