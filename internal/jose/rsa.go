package jose

import (
	"crypto/rsa"
	"fmt"
	"math/big"
)

// checkRSA refuses RSA keys that are too short, too long (their cost is an attack), have a weak exponent, or come from
// the broken generator of CVE-2017-15361 (ROCA).
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
	if isROCA(p.N) {
		return fmt.Errorf("%w: RSA key of a broken generator (ROCA)", ErrInvalidKey)
	}
	return nil
}

// rocaPrimes are the primes whose residues give a ROCA key away: keys of that generator are powers of 65537 modulo each.
var rocaPrimes = []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
	103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}

// isROCA is the published fingerprint test ("The Return of Coppersmith's Attack", 2017, section 3). A good key passes for
// one with a probability below 2^-27.
func isROCA(n *big.Int) bool {
	for _, prime := range rocaPrimes {
		residue := new(big.Int).Mod(n, big.NewInt(prime)).Int64()
		if residue == 0 {
			return true // a small factor: not a ROCA key, worse
		}
		found, generator := false, int64(65537)%prime
		for power, i := int64(1), int64(0); i < prime; i++ {
			if power == residue {
				found = true
				break
			}
			power = power * generator % prime
		}
		if !found {
			return false
		}
	}
	return true
}

// exponent returns e in the fewest octets, as RFC 7518 section 6.3.1.2 demands.
func exponent(e int) []byte { return big.NewInt(int64(e)).Bytes() }
