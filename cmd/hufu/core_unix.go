//go:build unix

package main

import "syscall"

// noCore keeps the memory of this process, in which private keys are open, from being written to a file when it dies.
func noCore() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
