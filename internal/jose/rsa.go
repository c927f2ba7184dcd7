package jose

import (
	"crypto/rsa"
	"fmt"
	"math/big"

	"github.com/hufu-id/hufu/internal/jose/roca"
)

// checkRSA refuses RSA keys that are too short, too long (their cost is an attack), of a weak exponent, or of the broken generator of CVE-2017-15361 (ROCA).
func checkRSA(p *rsa.PublicKey) error {
	if p.N == nil || p.N.Sign() <= 0 || p.N.Bit(0) == 0 {
		return fmt.Errorf("%w: RSA modulus", ErrInvalidKey)
	}
	if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("%w: RSA key of %d bits", ErrUnsupportedKey, bits)
	}
	if p.E < 65537 || p.E&1 == 0 || p.E > 1<<31-1 {
		return fmt.Errorf("%w: RSA exponent", ErrInvalidKey)
	}
	if roca.Vulnerable(p.N) {
		return fmt.Errorf("%w: RSA key of a broken generator (ROCA)", ErrInvalidKey)
	}
	return nil
}

// exponent returns e in the fewest octets, as RFC 7518 section 6.3.1.2 demands.
func exponent(e int) []byte { return big.NewInt(int64(e)).Bytes() }
