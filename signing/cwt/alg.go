package cwt

import (
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
)

// algorithms are those of RFC 9053 and, fully specified, of RFC 9864. RS256 isn't among them: nobody needs it here.
var algorithms = map[int64]jose.Alg{
	-7: jose.ES256, -9: jose.ES256,
	-35: jose.ES384, -51: jose.ES384,
	-8: jose.EdDSA, -19: jose.EdDSA,
	-37: jose.PS256,
}

// AlgNumber returns the number that Sign writes for an algorithm, as issuer metadata announces it (OpenID4VCI 1.0, appendix A.2.2).
func AlgNumber(a jose.Alg) (int64, error) {
	switch a {
	case jose.ES256:
		return -7, nil
	case jose.ES384:
		return -35, nil
	case jose.EdDSA:
		return -8, nil
	case jose.PS256:
		return -37, nil
	}
	return 0, fmt.Errorf("%w: none for COSE", ErrAlgorithm)
}
