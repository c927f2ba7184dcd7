package httpx_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
)

const boundary = "multipart/form-data; boundary=x"

func multipartBody(parts ...string) string {
	return "--x\r\n" + strings.Join(parts, "\r\n--x\r\n") + "\r\n--x--\r\n"
}

func field(name, value string) string {
	return `Content-Disposition: form-data; name="` + name + "\"\r\n\r\n" + value
}

func file(name, value string) string {
	return `Content-Disposition: form-data; name="` + name + "\"; filename=\"\"\r\n\r\n" + value
}

func TestUploadReadsFieldsAndFilesAndRefusesTheRest(t *testing.T) { // A06, W02
	for _, tc := range []struct {
		name, contentType, body string
		want                    error
	}{
		{"plain", boundary, multipartBody(field("a", "1"), file("f", "2")), nil},
		{"an empty file", boundary, multipartBody(field("a", "1"), file("f", "")), nil},
		{"form-encoded", "application/x-www-form-urlencoded", "a=1", nil},
		{"a field twice", boundary, multipartBody(field("a", "1"), field("a", "1")), httpx.ErrDuplicateParameter},
		{"a file and a field of one name", boundary, multipartBody(file("a", "1"), field("a", "1")), httpx.ErrDuplicateParameter},
		{"no name", boundary, multipartBody("X: y\r\n\r\n1"), httpx.ErrMalformed},
		{"not ended", boundary, "--x\r\n" + field("a", "1"), httpx.ErrMalformed},
		{"no boundary", "multipart/form-data", multipartBody(field("a", "1")), httpx.ErrMalformed},
		{"too many parts", boundary, multipartBody(strings.Split(strings.Repeat(field("a", "1")+"|", 40), "|")...), httpx.ErrDuplicateParameter},
		{"JSON", "application/json", "{}", httpx.ErrContentType},
		{"large", boundary, multipartBody(file("f", strings.Repeat("x", httpx.MaxBody))), httpx.ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got error
			h := httpx.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var fields map[string][]string
				var files map[string][]byte
				fields, files, got = httpx.Upload(r)
				if got == nil && (len(fields["a"]) != 1 || fields["a"][0] != "1" || tc.name == "plain" && string(files["f"]) != "2") {
					t.Errorf("%v %v", fields, files)
				}
			}), httpx.Options{})
			req := httptest.NewRequest("POST", "/?a=query", strings.NewReader(tc.body))
			req.Header.Set("Content-Type", tc.contentType)
			h.ServeHTTP(httptest.NewRecorder(), req)
			if !errors.Is(got, tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func FuzzUpload(f *testing.F) {
	f.Add(boundary, multipartBody(field("a", "1"), file("f", "2")))
	f.Add(boundary, "--x\r\n")
	f.Add("application/x-www-form-urlencoded", "a=1&b=2")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		fields, files, err := httpx.Upload(r)
		if err != nil && (fields != nil || files != nil) {
			t.Fatal("an error beside fields")
		}
	})
}
