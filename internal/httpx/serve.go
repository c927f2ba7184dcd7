package httpx

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Serve serves h on l until ctx ends, with TLS when certificate and key files are named. Requests that run then come to their end, for ten seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler, certFile, keyFile string) error {
	srv := NewServer(h)
	done := make(chan error, 1)
	go func() {
		if certFile != "" {
			done <- srv.ServeTLS(l, certFile, keyFile)
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// Within allows outgoing requests to the addresses of the given networks.
func Within(networks []netip.Prefix) func(netip.AddrPort) bool {
	return func(ap netip.AddrPort) bool {
		for _, p := range networks {
			if p.Contains(ap.Addr().Unmap()) {
				return true
			}
		}
		return false
	}
}
