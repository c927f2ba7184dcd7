package deliver

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// The hour of issue must not lie before the signer's certificate; without one it is the full hour.
func TestCoarseTimeIsTheFullHour(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 37, 12, 5, time.UTC)
	if got := coarse(at, port.Signer{}); !got.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
}

// A credential that says it was issued before its signer's certificate existed would look forged: then the hour gives way.
func TestCoarseTimeIsNotBeforeTheCertificate(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 37, 12, 0, time.UTC)
	for _, c := range []struct{ notBefore, want time.Time }{
		{at.Add(-7 * time.Minute), at.Add(-7 * time.Minute)},
		{at.Add(-24 * time.Hour), at.Truncate(time.Hour)},
		{at.Add(time.Hour), at.Truncate(time.Hour)},
	} {
		pub, priv, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: c.notBefore, NotAfter: c.notBefore.AddDate(1, 0, 0)}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, priv)
		if err != nil {
			t.Fatal(err)
		}
		if got := coarse(at, port.Signer{Chain: [][]byte{der}}); !got.Equal(c.want) {
			t.Errorf("certificate from %s: %s", c.notBefore, got)
		}
	}
}
