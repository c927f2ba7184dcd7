package keystest_test

import (
	"testing"

	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
)

func TestMemoryContract(t *testing.T) {
	keystest.Contract(t, func(*testing.T) keys.Store { return keystest.NewMemory() })
}
