//go:build unix

package main

import (
	"syscall"
	"testing"
)

// T09: a server that dies writes no file with its keys.
func TestT09ServeLeavesNoCoreDump(t *testing.T) {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		t.Skipf("the limit can't be set here: %v", err)
	}
	started(t)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("%+v, %v", limit, err)
	}
}
