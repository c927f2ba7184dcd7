//go:build conformance

// Package certs makes the certificates of one run.
package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Authority is a certificate authority.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// New makes an authority with a key of its own.
func New() (*Authority, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, err
	}
	t := template("hufu conformance")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Key.Public(), key.Key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key.Key}, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // never fails since Go 1.24
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Hufu"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
}

// Issue makes a key and a certificate for it.
func (a *Authority) Issue(t *x509.Certificate) (tls.Certificate, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.Cert, key.Key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Key}, err
}

// Server issues a certificate for localhost.
func (a *Authority) Server() (tls.Certificate, error) {
	t := template("localhost")
	t.DNSNames, t.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return a.Issue(t)
}

// ForClient is for the certificate of a client.
func ForClient(name string) *x509.Certificate {
	t := template(name)
	t.DNSNames, t.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t
}

// SelfSigned makes a certificate for a key, by itself.
func SelfSigned(t *x509.Certificate, key crypto.Signer) (tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// PEM is the certificate of the authority.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
}

// PEM returns certificate and private key.
func PEM(c tls.Certificate) (cert, key []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
