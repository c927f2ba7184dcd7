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

// suite is a running conformance suite: its API, and the certificate authority of its TLS.
type suite struct {
	base  string
	mtls  string // its origin for client certificates
	roots *x509.CertPool
	http  *http.Client
}

// maxAnswer bounds an answer of the API: logs are a few MiB.
const maxAnswer = 64 << 20

func openSuite(address, mtls, caFile string) (*suite, error) {
	raw, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	s := &suite{base: strings.TrimSuffix(address, "/"), mtls: mtls, roots: x509.NewCertPool()}
	if !s.roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s has no certificate", caFile)
	}
	s.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}}}
	return s, nil
}

func (s *suite) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/api/"+path+"?"+query.Encode(), bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if raw, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the suite answered %s %s with %d: %.500s", method, path, resp.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// variant chooses among the kinds of a plan or module.
type variant map[string]string

func (v variant) query(q url.Values) url.Values {
	if len(v) > 0 {
		text, _ := json.Marshal(v) // strings only
		q.Set("variant", string(text))
	}
	return q
}

// instance is a plan that the suite made.
type instance struct {
	ID      string `json:"id"`
	Modules []struct {
		Name    string  `json:"testModule"`
		Variant variant `json:"variant"`
	} `json:"modules"`
}

func (s *suite) makePlan(ctx context.Context, name string, v variant, config any) (p instance, err error) {
	return p, s.call(ctx, http.MethodPost, "plan", v.query(url.Values{"planName": {name}}), config, &p)
}

// makeModule makes a module, which waits for us as soon as it is set up, and returns its id.
func (s *suite) makeModule(ctx context.Context, plan, name string, v variant) (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	err := s.call(ctx, http.MethodPost, "runner", v.query(url.Values{"plan": {plan}, "test": {name}}), nil, &made)
	return made.ID, err
}

// info is where a module stands.
type info struct {
	Status  string `json:"status"`
	Result  string `json:"result"`
	Version string `json:"version"`
}

func (i info) over() bool { return i.Status == "FINISHED" || i.Status == "INTERRUPTED" }

// wait asks until a module is in a state that fits.
func (s *suite) wait(ctx context.Context, id string, fits func(info) bool) (i info, err error) {
	for {
		if err = s.call(ctx, http.MethodGet, "info/"+id, nil, nil, &i); err != nil || fits(i) {
			return i, err
		}
		select {
		case <-ctx.Done():
			return i, fmt.Errorf("%w: still %s", ctx.Err(), i.Status)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// exposed are the values that a module shows to whoever runs it, such as its issuer.
func (s *suite) exposed(ctx context.Context, id string) (map[string]string, error) {
	var answer struct {
		Exposed map[string]string `json:"exposed"`
	}
	err := s.call(ctx, http.MethodGet, "runner/"+id, nil, nil, &answer)
	return answer.Exposed, err
}

// complaints are the lines of a module's log that say what was not in order.
func (s *suite) complaints(ctx context.Context, id string) (out []string, err error) {
	var lines []map[string]any
	if err := s.call(ctx, http.MethodGet, "log/"+id, nil, nil, &lines); err != nil {
		return nil, err
	}
	for _, l := range lines {
		if r := l["result"]; r == "FAILURE" || r == "WARNING" || r == "INTERRUPTED" {
			out = append(out, fmt.Sprintf("%v %v: %.300v", r, l["src"], l["msg"]))
		}
	}
	return out, nil
}
