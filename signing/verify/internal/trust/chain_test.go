package trust

import (
	"testing"
	"time"
)

// What is remembered is bounded: hostile presentations bring a new chain each.
func TestCacheIsBounded(t *testing.T) {
	c := NewChains(nil)
	for i := range maxCached + 10 {
		c.Of([][]byte{{byte(i), byte(i >> 8), byte(i >> 16)}}, Credential, "ES256", time.Unix(0, 0))
	}
	if len(c.chains) > maxCached {
		t.Errorf("%d chains", len(c.chains))
	}
}
