package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The further listener asks for a certificate and does without one, serves the same, and ends with the first.
func TestServeListensForClientsWithCertificates(t *testing.T) {
	file, addr, pool := serveConfig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second := l.Addr().String()
	_ = l.Close()
	dir := filepath.Dir(file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, fmt.Appendf(text, "mtls: {listen: %s, origin: 'https://mtls.id.example', cert_file: %s, key_file: %s}\n",
		second, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	if code, _, errOut := hufu(t, t.Context(), "migrate", "--config", file); code != 0 {
		t.Fatal(errOut)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan string, 1)
	go func() {
		code, _, errOut := hufu(t, ctx, "serve", "--config", file)
		done <- fmt.Sprintf("%d %s", code, errOut)
	}()
	for address, asks := range map[string]bool{addr: false, second: true} {
		waitTLS(t, address, pool)
		asked := false
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost",
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &tls.Certificate{}, nil
			}}}
		res, err := (&http.Client{Transport: tr}).Get("https://" + address + "/.well-known/openid-configuration")
		if err != nil || res.StatusCode != http.StatusOK || asked != asks {
			t.Errorf("%s: asked %v, want %v: %v", address, asked, asks, err)
		}
		if err == nil {
			_ = res.Body.Close()
		}
		tr.CloseIdleConnections()
	}
	stop()
	if said := <-done; !strings.HasPrefix(said, "0 ") {
		t.Errorf("serve ended with %s", said)
	}
}
