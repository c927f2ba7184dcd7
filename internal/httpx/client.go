package httpx

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Errors of outgoing requests. None of them carries what the other side sent: it may come back to whoever made us ask.
var (
	// ErrAddress says that the address is one of ours or of nobody's: loopback, private, link-local and the like.
	ErrAddress = errors.New("httpx: the address is not allowed")
	// ErrURL says that a URL is not plain https (or http to an allowed socket) without user information.
	ErrURL = errors.New("httpx: the URL is not allowed")
	// ErrUnreachable says that no answer came in time.
	ErrUnreachable = errors.New("httpx: the other side did not answer")
	// ErrAnswer says that an answer was too large, not 200, or not JSON.
	ErrAnswer = errors.New("httpx: the other side's answer can't be used")
)

// ClientOptions say what the safe client may reach.
type ClientOptions struct {
	// Allow lets through sockets that the address guard refuses, and plain http to them: `hufu dev` allows exactly those that its own process
	// listens on, a closed network its own ranges. nil allows none.
	Allow func(netip.AddrPort) bool
	// Timeout bounds a whole exchange; 0 means 5 seconds.
	Timeout time.Duration
	// MaxBytes bounds an answer; 0 means 256 KiB.
	MaxBytes int64
	// TLS replaces the default configuration, such as the roots of a closed network; nil keeps it.
	TLS *tls.Config
}

// Client is the one way out. It checks the address at the moment of connecting, so that a name which resolves differently the second
// time gains nothing, follows no redirects, and bounds time and size. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	maxBytes int64
	allow    func(netip.AddrPort) bool
}

// NewClient returns a client.
func NewClient(o ClientOptions) *Client {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 10
	}
	if o.Allow == nil {
		o.Allow = func(netip.AddrPort) bool { return false }
	}
	c := &Client{maxBytes: o.MaxBytes, allow: o.Allow}
	dialer := &net.Dialer{Timeout: o.Timeout, ControlContext: c.guard}
	c.http = &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy from the environment would connect past the guard
			DialContext:            dialer.DialContext,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    o.Timeout,
			ResponseHeaderTimeout:  o.Timeout,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
	}
	return c
}

// guard runs after name resolution, with the very address that the socket will connect to.
func (c *Client) guard(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrAddress
	}
	if c.allow(ap) || public(ap.Addr()) {
		return nil
	}
	return ErrAddress
}

// special are blocks that netip's own predicates don't name: "this network", shared address space, IETF protocol assignments, documentation, benchmarking, reserved;
// NAT64, Teredo and 6to4, which can carry any of them inside; IPv6 documentation and discard.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// globalUnicast6 is all of IPv6 that is given out for the public network (RFC 4291, IANA). What lies outside, such as ::127.0.0.1,
// ::ffff:0:10.0.0.1 or fec0::1, goes nowhere at best.
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

func public(a netip.Addr) bool {
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if a.Is6() && !globalUnicast6.Contains(a) {
		return false
	}
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// CheckURL says whether a URL may be fetched at all: https without user information or fragment; plain http only to a socket that
// Allow names (checked when connecting).
func (c *Client) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return ErrURL
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		// Only where the guard would let the socket through: never in the clear over a network.
		for _, ap := range loopback(u) {
			if c.allow(ap) {
				return nil
			}
		}
	}
	return ErrURL
}

func loopback(u *url.URL) []netip.AddrPort {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	var out []netip.AddrPort
	hosts := []string{u.Hostname()}
	if u.Hostname() == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for _, h := range hosts {
		if ap, err := netip.ParseAddrPort(net.JoinHostPort(h, port)); err == nil {
			out = append(out, ap)
		}
	}
	return out
}

// Response is an answer that was read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends the request. It returns ErrURL, ErrAddress, ErrUnreachable or ErrAnswer; an answer of any status, redirects too, is returned as it is.
func (c *Client) Do(req *http.Request) (*Response, error) {
	if err := c.CheckURL(req.URL.String()); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, ErrAddress) {
			return nil, ErrAddress
		}
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, req.URL.Host)
	}
	defer resp.Body.Close()
	// The transport has undone gzip already, so that the limit holds for what was inflated.
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, req.URL.Host)
	}
	if int64(len(body)) > c.maxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrAnswer, c.maxBytes)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Get fetches a document; anything but 200 is ErrAnswer.
func (c *Client) Get(ctx context.Context, rawURL string) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, ErrURL
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrAnswer, resp.Status)
	}
	return resp, nil
}

// GetJSON fetches a JSON document into v.
func (c *Client) GetJSON(ctx context.Context, rawURL string, v any) error {
	resp, err := c.Get(ctx, rawURL)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		return fmt.Errorf("%w: not the JSON that was expected", ErrAnswer)
	}
	return nil
}
