package walletcmd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// listener is where the person's browser comes back to: a port of this machine, for one answer.
type listener struct {
	l      net.Listener
	server *http.Server
	back   chan string
}

const backPath = "/callback"

func listen() (*listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no port for the browser to come back to: %w", err)
	}
	b := &listener{l: l, back: make(chan string, 1)}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	go func() { _ = b.server.Serve(l) }()
	return b, nil
}

// URI is the redirect URI.
func (b *listener) URI() string { return "http://" + b.l.Addr().String() + backPath }

// ServeHTTP takes the first address that the browser comes back with. What is in it is checked by the wallet: state and iss.
func (b *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet || r.URL.Path != backPath || r.URL.RawQuery == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	select {
	case b.back <- b.URI() + "?" + r.URL.RawQuery:
	default: // one answer only
	}
	_, _ = io.WriteString(w, "The test wallet has the answer. You can close this window. 测试钱包已收到，可以关闭此页面。\n")
}

func (b *listener) wait(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("given up before the browser came back")
	case address := <-b.back:
		return address, nil
	}
}

// Close frees the port, after the browser has its answer.
func (b *listener) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = b.server.Shutdown(ctx)
}

func isLocal(address string) bool {
	u, err := url.Parse(address)
	return err == nil && local(u.Hostname())
}
