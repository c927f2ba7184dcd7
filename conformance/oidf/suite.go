//go:build conformance

package main

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

// suite is a running conformance suite. It runs for developers, so its API asks for no login.
type suite struct {
	base string // without a slash at the end
	ca   []byte // PEM
	pool *x509.CertPool
	http *http.Client
}

// maxAnswer bounds an answer: logs of long modules are a few MiB.
const maxAnswer = 64 << 20

func openSuite(address, caFile string) (*suite, error) {
	s := &suite{base: strings.TrimSuffix(address, "/"), pool: x509.NewCertPool()}
	if caFile != "" {
		var err error
		if s.ca, err = os.ReadFile(caFile); err != nil {
			return nil, err
		}
		if !s.pool.AppendCertsFromPEM(s.ca) {
			return nil, fmt.Errorf("%s has no certificate", caFile)
		}
	}
	s.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}}}
	return s, nil
}

// call sends one request to the API. body is JSON, or the text of an upload.
func (s *suite) call(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	address := s.base + "/api/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.http.Do(req)
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

// ready waits for the suite: it may have been started a moment ago.
func (s *suite) ready(ctx context.Context) error {
	var err error
	for range 60 {
		if err = s.call(ctx, http.MethodGet, "plan", url.Values{"length": {"1"}}, nil, nil); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("the suite doesn't get ready: %w", err)
}

// madePlan is a plan as the suite made it.
type madePlan struct {
	ID      string `json:"id"`
	Modules []struct {
		Module  string            `json:"testModule"`
		Variant map[string]string `json:"variant"`
	} `json:"modules"`
}

func (s *suite) makePlan(ctx context.Context, name string, variant map[string]string, config any) (p madePlan, err error) {
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

// makeModule makes an instance of a module, which starts by itself.
func (s *suite) makeModule(ctx context.Context, planID, module string, variant map[string]string) (id string, err error) {
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

// moduleInfo is where an instance stands.
type moduleInfo struct {
	Status  string `json:"status"`
	Result  string `json:"result"`
	Version string `json:"version"`
}

func (s *suite) info(ctx context.Context, id string) (i moduleInfo, err error) {
	err = s.call(ctx, http.MethodGet, "info/"+id, nil, nil, &i)
	return i, err
}

// address is one that the browser shall visit.
type address struct {
	URL    string `json:"url"`
	Method string `json:"method"`
}

// visits are the addresses that wait for the browser.
func (s *suite) visits(ctx context.Context, id string) ([]address, error) {
	var answer struct {
		Browser struct {
			URLs []address `json:"urlsWithMethod"`
		} `json:"browser"`
	}
	err := s.call(ctx, http.MethodGet, "runner/"+id, nil, nil, &answer)
	return answer.Browser.URLs, err
}

func (s *suite) visited(ctx context.Context, id, address string) error {
	return s.call(ctx, http.MethodPost, "runner/browser/"+id+"/visit", url.Values{"url": {address}}, nil, nil)
}

// start starts a module that waits for it: the one for which somebody must rotate keys first.
func (s *suite) start(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodPost, "runner/"+id, nil, nil, nil)
}

func (s *suite) cancel(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodDelete, "runner/"+id, nil, nil, nil)
}

// entry is one line of a module's log.
type entry map[string]any

func (e entry) text(key string) string {
	s, _ := e[key].(string)
	return s
}

func (s *suite) log(ctx context.Context, id string) (entries []entry, err error) {
	err = s.call(ctx, http.MethodGet, "log/"+id, nil, nil, &entries)
	return entries, err
}

// pictures are the placeholders of a module that still wait for a picture.
func (s *suite) pictures(ctx context.Context, id string) ([]string, error) {
	var entries []entry
	if err := s.call(ctx, http.MethodGet, "log/"+id+"/images", nil, nil, &entries); err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if p := e.text("upload"); p != "" {
			out = append(out, p)
		}
	}
	return out, nil
}

func (s *suite) upload(ctx context.Context, id, placeholder, dataURL string) error {
	return s.call(ctx, http.MethodPost, "log/"+id+"/images/"+url.PathEscape(placeholder), nil, []byte(dataURL), nil)
}
