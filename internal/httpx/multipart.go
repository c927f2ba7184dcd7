package httpx

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
)

// maxParts bounds the parts of a multipart form.
const maxParts = 16

// Upload reads a POST body with text fields and files, as a page's form with a file input sends it; a form-encoded one has no files. All of it stays
// in memory, within the limit that Wrap sets. The rules are those of Form: no name twice, and the query doesn't count. An input for files where nothing
// was chosen counts as an empty file.
func Upload(r *http.Request) (fields url.Values, files map[string][]byte, err error) {
	if r.Method != http.MethodPost {
		return nil, nil, ErrMalformed
	}
	ct, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || ct != "multipart/form-data" {
		fields, err = Form(r)
		return fields, nil, err
	}
	if params["boundary"] == "" {
		return nil, nil, ErrMalformed
	}
	fields, files = url.Values{}, map[string][]byte{}
	parts := multipart.NewReader(r.Body, params["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, files, nil
		}
		if err == nil && n < maxParts {
			err = readPart(part, fields, files)
		} else if err == nil {
			err = ErrMalformed
		}
		if err != nil {
			return nil, nil, bodyError(err)
		}
	}
}

func readPart(part *multipart.Part, fields url.Values, files map[string][]byte) error {
	name := part.FormName()
	_, isFile := files[name]
	switch {
	case name == "":
		return ErrMalformed
	case isFile || fields.Has(name):
		return &DuplicateError{Name: name}
	}
	body, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	if _, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition")); err == nil && hasKey(params, "filename") {
		files[name] = body
		return nil
	}
	fields.Set(name, string(body))
	return nil
}

func hasKey(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// bodyError keeps our own errors; what the multipart reader says about the body is ErrMalformed.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return ErrTooLarge
	case errors.Is(err, ErrDuplicateParameter):
		return err
	}
	return ErrMalformed
}
