//go:build conformance

package faults_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// keyFile is a department's key file, as `hufu dev` writes it.
type keyFile struct {
	clientID string
	key      jose.SigningKey
}

func readKeyFile(t *testing.T, path string) keyFile {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		ClientID string          `json:"client_id"`
		Key      json.RawMessage `json:"key"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	key, err := jose.ParsePrivateJWK(file.Key)
	if err != nil {
		t.Fatal(err)
	}
	return keyFile{file.ClientID, key}
}

// errExpired says that the department's token is over.
var errExpired = errors.New("the department's token has expired")

// form asks for an access token of a scope.
func (k keyFile) form(origin, scope string) (url.Values, error) {
	now := time.Now()
	assertion, err := jose.SignJSON(k.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": k.clientID, "sub": k.clientID, "aud": origin,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, err
}

func (k keyFile) token(origin, scope string) (string, error) {
	form, err := k.form(origin, scope)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = call(origin+"/token", "application/x-www-form-urlencoded", "", []byte(form.Encode()), http.StatusOK, &answer)
	return answer.AccessToken, err
}

// madeOffer is the answer of the department API.
type madeOffer struct {
	Value   string `json:"offer_value_uri"`
	TxCode  string `json:"tx_code"`
	Licence string `json:"licence"`
}

func (k keyFile) offer(origin, bearer, person string) (madeOffer, error) {
	var made madeOffer
	body := fmt.Sprintf(`{"person":%q,"type":%q}`, person, licenceType)
	return made, call(origin+"/register/v1/offers", "application/json", bearer, []byte(body), http.StatusCreated, &made)
}

var plain = &http.Client{Timeout: 20 * time.Second, CheckRedirect: noRedirect}

// call posts and decodes. An answer of another status is errRefused or errExpired; no answer, or half of one, is neither.
func call(address, contentType, bearer string, body []byte, status int, into any) error {
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := plain.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusUnauthorized && bearer != "":
		return errExpired
	case res.StatusCode != status:
		return fmt.Errorf("%w: %s: %d %s", errRefused, strings.TrimPrefix(address, "http://"), res.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}

// digest is how a code is kept in the database.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
