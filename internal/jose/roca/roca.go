// Package roca recognises RSA keys of the broken generator of CVE-2017-15361, from which the private key can be computed.
package roca

import "math/big"

// primes are the primes whose residues give a ROCA key away: keys of that generator are powers of 65537 modulo each.
var primes = []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
	103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}

// Vulnerable is the published fingerprint test ("The Return of Coppersmith's Attack", 2017, section 3). A good key passes
// for one with a probability below 2^-27. A modulus with a small factor is reported, too. Pure.
func Vulnerable(n *big.Int) bool {
	for _, prime := range primes {
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
