//go:build !linux

package verify

import "testing"

func inSealedRoom(t *testing.T) { t.Skip("needs Linux limits") }
