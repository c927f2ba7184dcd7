package deptclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Send posts a file as a stream, for as long as it takes; header are further header fields. The answer is decoded into out.
func (c *Client) Send(ctx context.Context, path string, header map[string]string, body io.Reader, size int64, out any) error {
	resp, err := c.open(ctx, http.MethodPost, path, header, body, size)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("the server's answer can't be read: %w", err)
	}
	return nil
}

// Fetch copies a file of the API to w, for as long as it takes.
func (c *Client) Fetch(ctx context.Context, path string, w io.Writer) error {
	resp, err := c.open(ctx, http.MethodGet, path, nil, nil, 0)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

// open sends a request with a token that is new: a stream can't be sent again because a token ran out.
func (c *Client) open(ctx context.Context, method, path string, header map[string]string, body io.Reader, size int64) (*http.Response, error) {
	if err := c.authorize(ctx); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.issuer+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	patient := *c.http
	patient.Timeout = 0
	resp, err := patient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server can't be reached: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		answer, rerr := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return nil, errors.Join(parseRefusal(resp.StatusCode, answer, resp.Header.Get("X-Trace-Id")), rerr, resp.Body.Close())
	}
	return resp, nil
}
