//go:build conformance

// Package suite speaks to a running conformance suite of the OpenID Foundation over its REST API.
package suite

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Suite is a running conformance suite. It runs for developers, so its API asks for no login.
type Suite struct {
	Base string         // its address, without a slash at the end
	CA   []byte         // certificate authority of its TLS, PEM
	Pool *x509.CertPool // the same
	HTTP *http.Client
}

// maxAnswer bounds an answer: logs of long modules are a few MiB.
const maxAnswer = 64 << 20

// Open prepares for a suite; it asks nothing yet.
func Open(address, caFile string) (*Suite, error) {
	s := &Suite{Base: strings.TrimSuffix(address, "/"), Pool: x509.NewCertPool()}
	if caFile != "" {
		var err error
		if s.CA, err = os.ReadFile(caFile); err != nil {
			return nil, err
		}
		if !s.Pool.AppendCertsFromPEM(s.CA) {
			return nil, fmt.Errorf("%s has no certificate", caFile)
		}
	}
	s.HTTP = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Pool}}}
	return s, nil
}

// call sends one request to the API. body is JSON, or the text of an upload.
func (s *Suite) call(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	address := s.Base + "/api/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the suite answered %s %s with %d: %.500s", method, path, res.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// Ready waits for the suite: it may have been started a moment ago.
func (s *Suite) Ready(ctx context.Context) error {
	var err error
	for range 60 {
		if err = s.call(ctx, http.MethodGet, "plan", url.Values{"length": {"1"}}, nil, nil); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("the suite doesn't get ready: %w", err)
}

// Plan is a plan as the suite made it.
type Plan struct {
	ID      string `json:"id"`
	Modules []struct {
		Module  string            `json:"testModule"`
		Variant map[string]string `json:"variant"`
	} `json:"modules"`
}

// MakePlan makes a plan in a variant.
func (s *Suite) MakePlan(ctx context.Context, name string, variant map[string]string, config any) (p Plan, err error) {
	body, err1 := json.Marshal(config)
	kind, err2 := json.Marshal(variant)
	if err1 != nil || err2 != nil {
		return p, fmt.Errorf("%w %w", err1, err2)
	}
	q := url.Values{"planName": {name}}
	if len(variant) > 0 {
		q.Set("variant", string(kind))
	}
	err = s.call(ctx, http.MethodPost, "plan", q, body, &p)
	return p, err
}

// MakeModule makes an instance of a module, which starts by itself.
func (s *Suite) MakeModule(ctx context.Context, planID, module string, variant map[string]string) (id string, err error) {
	kind, err := json.Marshal(variant)
	if err != nil {
		return "", err
	}
	q := url.Values{"plan": {planID}, "test": {module}}
	if len(variant) > 0 {
		q.Set("variant", string(kind))
	}
	var made struct {
		ID string `json:"id"`
	}
	err = s.call(ctx, http.MethodPost, "runner", q, nil, &made)
	return made.ID, err
}

// Info is where an instance stands.
type Info struct {
	Status  string `json:"status"`
	Result  string `json:"result"`
	Version string `json:"version"`
}

// Info asks where an instance stands.
func (s *Suite) Info(ctx context.Context, id string) (i Info, err error) {
	err = s.call(ctx, http.MethodGet, "info/"+id, nil, nil, &i)
	return i, err
}

// Over says whether the instance has ended.
func (i Info) Over() bool { return i.Status == "FINISHED" || i.Status == "INTERRUPTED" }

// Wait asks until an instance is in a state that fits.
func (s *Suite) Wait(ctx context.Context, id string, fits func(Info) bool) (i Info, err error) {
	for {
		if i, err = s.Info(ctx, id); err != nil || fits(i) {
			return i, err
		}
		select {
		case <-ctx.Done():
			return i, fmt.Errorf("%w: still %s", ctx.Err(), i.Status)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Exposed are the values that an instance shows to whoever runs it, such as the issuer that it plays.
func (s *Suite) Exposed(ctx context.Context, id string) (map[string]string, error) {
	var answer struct {
		Exposed map[string]string `json:"exposed"`
	}
	err := s.call(ctx, http.MethodGet, "runner/"+id, nil, nil, &answer)
	return answer.Exposed, err
}

// Address is one that the browser shall visit.
type Address struct {
	URL    string `json:"url"`
	Method string `json:"method"`
}

// Visits are the addresses that wait for the browser.
func (s *Suite) Visits(ctx context.Context, id string) ([]Address, error) {
	var answer struct {
		Browser struct {
			URLs []Address `json:"urlsWithMethod"`
		} `json:"browser"`
	}
	err := s.call(ctx, http.MethodGet, "runner/"+id, nil, nil, &answer)
	return answer.Browser.URLs, err
}

// Visited tells the suite that the browser went there.
func (s *Suite) Visited(ctx context.Context, id, address string) error {
	return s.call(ctx, http.MethodPost, "runner/browser/"+id+"/visit", url.Values{"url": {address}}, nil, nil)
}

// Start starts a module that waits for it: the one for which somebody must rotate keys first.
func (s *Suite) Start(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodPost, "runner/"+id, nil, nil, nil)
}

// Cancel ends a module.
func (s *Suite) Cancel(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodDelete, "runner/"+id, nil, nil, nil)
}

// Entry is one line of a module's log.
type Entry map[string]any

// Text is a member that is a string, or "".
func (e Entry) Text(key string) string {
	s, _ := e[key].(string)
	return s
}

// Log reads what a module did.
func (s *Suite) Log(ctx context.Context, id string) (entries []Entry, err error) {
	err = s.call(ctx, http.MethodGet, "log/"+id, nil, nil, &entries)
	return entries, err
}

// Pictures are the placeholders of a module that still wait for a picture.
func (s *Suite) Pictures(ctx context.Context, id string) ([]string, error) {
	var entries []Entry
	if err := s.call(ctx, http.MethodGet, "log/"+id+"/images", nil, nil, &entries); err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if p := e.Text("upload"); p != "" {
			out = append(out, p)
		}
	}
	return out, nil
}

// Upload hands in a picture, as a data URL.
func (s *Suite) Upload(ctx context.Context, id, placeholder, dataURL string) error {
	return s.call(ctx, http.MethodPost, "log/"+id+"/images/"+url.PathEscape(placeholder), nil, []byte(dataURL), nil)
}
