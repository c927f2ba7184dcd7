package main

import (
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
)

// Exit codes that scripts rely on (docs/trust.md 5).
const (
	exitOK         = 0
	exitUsage      = 1 // wrong usage, or a file that can't be opened
	exitInvalid    = 2
	exitCannotTell = 3
)

// exitError ends the program with a code. A nil err says that everything worth saying was said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// exitf is an exitError with a message.
func exitf(code int, format string, args ...any) error {
	return exitError{code: code, err: fmt.Errorf(format, args...)}
}

// exitCode maps what a command returned: nil is 0, an exitError its code, anything else wrong usage. The message, if
// there is one left to print, is the second result.
func exitCode(err error) (int, string) {
	if err == nil {
		return exitOK, ""
	}
	var e exitError
	var department *deptclient.ExitError
	if errors.As(err, &department) {
		err = exitError{code: department.Code, err: department.Err}
	}
	if errors.As(err, &e) {
		if e.err == nil {
			return e.code, ""
		}
		return e.code, e.Error()
	}
	return exitUsage, err.Error()
}
