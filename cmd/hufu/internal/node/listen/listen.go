// Package listen is the part of a configuration that says where a server listens, and how TLS is spoken there.
package listen

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Files are PEM files.
type Files struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// MTLS is a further listener, for clients that authenticate by certificate (RFC 8705). TLS must end in this process: a certificate is taken from
// the handshake only, never from a header. The nil MTLS is none.
type MTLS struct {
	// Listen is the address to listen on. Default 127.0.0.1:8443.
	Listen string `yaml:"listen"`
	// Origin is where clients find it, such as https://mtls.id.example: no path, no slash, not the server's own.
	Origin string `yaml:"origin"`
	// Files are the server's certificate and key.
	Files `yaml:",inline"`
	// ClientCAFiles hold the certification authorities (PEM) of tls_client_auth. Default none: then self_signed_tls_client_auth only.
	ClientCAFiles []string `yaml:"client_ca_files"`
}

// Address is where to listen.
func (m *MTLS) Address() string {
	if m.Listen == "" {
		return "127.0.0.1:8443"
	}
	return m.Listen
}

// PublicOrigin is the origin for the provider's metadata; "" without the listener.
func (m *MTLS) PublicOrigin() string {
	if m == nil {
		return ""
	}
	return m.Origin
}

// ClientCAs reads the certification authorities of clients; nil when there are none.
func (m *MTLS) ClientCAs() (*x509.CertPool, error) {
	if m == nil || len(m.ClientCAFiles) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, file := range m.ClientCAFiles {
		rest, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := addCAs(pool, rest); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return pool, nil
}

// addCAs takes every block or none: one that is skipped locks its clients out, and nobody knows why.
func addCAs(pool *x509.CertPool, rest []byte) error {
	found := false
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return fmt.Errorf("a block %q is no certificate", block.Type)
		}
		if !c.BasicConstraintsValid || !c.IsCA {
			return fmt.Errorf("%s is no certification authority", c.Subject)
		}
		pool.AddCert(c)
		found = true
	}
	if !found {
		return errors.New("no certificate (PEM)")
	}
	return nil
}

// Check tells bad what is wrong with the two listeners of a server at address and origin.
func Check(address, origin string, tls *Files, m *MTLS, bad func(format string, args ...any)) {
	if tls != nil && (tls.CertFile == "" || tls.KeyFile == "") {
		bad("tls: cert_file and key_file belong together")
	}
	if m == nil {
		return
	}
	if m.CertFile == "" || m.KeyFile == "" {
		bad("mtls: cert_file and key_file are needed")
	}
	u, err := url.Parse(m.Origin)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || "https://"+u.Host != m.Origin:
		bad("mtls: origin: %q must be https://host without a path or a slash", m.Origin)
	case m.Origin == origin:
		bad("mtls: origin: %s is the server's own", m.Origin) // its listener doesn't ask for certificates
	}
	if m.Address() == address {
		bad("mtls: listen: %s is taken by the server itself", address)
	}
	if _, err := m.ClientCAs(); err != nil {
		bad("mtls: client_ca_files: %v", err)
	}
}
