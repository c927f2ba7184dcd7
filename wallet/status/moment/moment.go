// Package moment draws moments that nobody can foresee.
package moment

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"time"
)

// After is a random moment within a time after at; at itself when that time is not positive.
func After(at time.Time, within time.Duration) (time.Time, error) {
	if within <= 0 {
		return at, nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(within)))
	if err != nil {
		return at, fmt.Errorf("moment: randomness: %w", err)
	}
	return at.Add(time.Duration(n.Int64())), nil
}
