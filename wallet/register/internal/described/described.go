// Package described checks answers of the department API against its OpenAPI description, for tests.
package described

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

// Load reads the description and checks it as OpenAPI 3.1.
var Load = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(registerapi.OpenAPI)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := Load()
	if err != nil {
		return nil, err
	}
	for _, media := range []string{"application/problem+json", "application/jwk-set+json"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.JSONBodyDecoder)
	}
	for _, media := range []string{"application/x-ndjson", "application/hufu-import-report+jwt", "text/csv"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	return gorillamux.NewRouter(doc)
})

// Check says whether an answer is as described: its status, media type and body. Answers outside of the API, and those for paths and methods that
// there aren't, pass.
func Check(method, target string, status int, header http.Header, body []byte) error {
	u, err := url.Parse(target)
	if err != nil || !strings.HasPrefix(u.Path, "/register/v1/") || status == http.StatusNotFound && header.Get("Content-Type") == "text/plain; charset=utf-8" {
		return nil
	}
	find, err := router()
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, u.RequestURI(), nil)
	if err != nil {
		return err
	}
	req.URL.Path, req.URL.RawPath = u.EscapedPath(), "" // a path parameter with an escaped slash is one parameter
	route, params, err := find.FindRoute(req)
	if err != nil {
		return fmt.Errorf("%s %s is not described: %w", method, u.Path, err)
	}
	in := &openapi3filter.ResponseValidationInput{RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		return fmt.Errorf("%s %s: the answer is not as described: %w", method, u.Path, err)
	}
	return nil
}
