package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Serve serves h on l until ctx ends, with TLS when certificate and key files are named. Requests that run then come to their end, for ten seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler, certFile, keyFile string) error {
	return serve(ctx, l, NewServer(h), certFile, keyFile)
}

// ServeMTLS is Serve for clients that prove who they are by certificate (RFC 8705). It asks for a certificate and has its key proved, and leaves
// to the handler whose it is and whether one is needed; see ClientCertificates.
func ServeMTLS(ctx context.Context, l net.Listener, h http.Handler, certFile, keyFile string) error {
	if certFile == "" {
		return errors.Join(errors.New("httpx: mutual TLS without a certificate"), l.Close())
	}
	srv := NewServer(h)
	srv.TLSConfig.ClientAuth = tls.RequestClientCert
	// A resumed session would bring the certificate of an earlier handshake: without proof, and after its authority has been taken out.
	srv.TLSConfig.SessionTicketsDisabled = true
	return serve(ctx, l, srv, certFile, keyFile)
}

// ClientCertificates are what the client sent in the handshake, leaf first; it holds the leaf's private key. Nobody has checked more than that. Nil
// for a client without one, and behind a proxy: a header says nothing, because anybody can send it.
func ClientCertificates(r *http.Request) []*x509.Certificate {
	if r.TLS == nil {
		return nil
	}
	return r.TLS.PeerCertificates
}

func serve(ctx context.Context, l net.Listener, srv *http.Server, certFile, keyFile string) error {
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
