package sdjwt

import (
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
)

// Issue signs what Build laid out as SD-JWT VC and returns the text that a wallet gets: JWT, disclosures, a tilde after
// each. x5c is leaf and intermediates, never the root (HAIP 1.0); nil leaves it out.
func Issue(key jose.SigningKey, x5c [][]byte, l Laid) (string, error) {
	// One reference to the key, or wallets that want to know which one counts refuse both (irmago does).
	jwt, err := jose.Sign(key, jose.Header{Typ: Typ, X5C: x5c, NoKeyID: len(x5c) > 0}, l.Payload)
	if err != nil {
		return "", err
	}
	return join(jwt, l.Disclosures), nil
}

func join(jwt string, disclosures []string) string {
	var b strings.Builder
	b.WriteString(jwt)
	b.WriteByte('~')
	for _, d := range disclosures {
		b.WriteString(d)
		b.WriteByte('~')
	}
	return b.String()
}
