package deptclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	// ExitUsage is wrong usage, or a file or server that can't be reached.
	ExitUsage = 1
	// ExitRefused: the server refused what was asked, or a part of it.
	ExitRefused = 2
)

// ExitError ends the program with a code. A nil Err says that everything worth saying was said already.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Usage is wrong usage, in words.
func Usage(format string, args ...any) error {
	return &ExitError{ExitUsage, fmt.Errorf(format, args...)}
}

// Flags are shared by all commands: who asks, and which server.
type Flags struct {
	As, URL string
	JSON    bool
}

// Bind adds the flags to a command and those below it.
func (f *Flags) Bind(cmd *cobra.Command, as string) {
	cmd.PersistentFlags().StringVar(&f.As, "as", "", as)
	cmd.PersistentFlags().StringVar(&f.URL, "url", "", "origin of the national server, such as http://localhost:8080 (required)")
	cmd.PersistentFlags().BoolVar(&f.JSON, "json", false, "print one JSON object")
}

func (f *Flags) client(scope string) (*Client, error) {
	if f.As == "" || f.URL == "" {
		return nil, Usage("--as KEY_FILE and --url URL are needed: who asks, and which server")
	}
	key, err := ReadKey(f.As)
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	c, err := New(key, f.URL, scope)
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	return c, nil
}

// Run gives fn a client, prints its answer as JSON or by show, and turns what the server refused into an exit code.
func (f *Flags) Run(cmd *cobra.Command, scope string, fn func(c *Client) (answer any, show func(p *Printer), err error)) error {
	c, err := f.client(scope)
	if err != nil {
		return f.fail(cmd, err)
	}
	answer, show, err := fn(c)
	if err != nil {
		return f.fail(cmd, err)
	}
	if f.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(answer)
	}
	p := &Printer{Out: cmd.OutOrStdout()}
	show(p)
	return p.err
}

func (f *Flags) fail(cmd *cobra.Command, err error) error {
	code := ExitUsage
	var refused *Refusal
	if errors.As(err, &refused) {
		code = ExitRefused
	}
	if !f.JSON {
		return &ExitError{code, err}
	}
	if refused == nil {
		refused = &Refusal{Code: "failed", Title: err.Error()}
	}
	if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"error": refused}); err != nil {
		return err
	}
	return &ExitError{Code: code}
}

// Clean keeps a text of others from moving the cursor, colouring the terminal or reordering the line.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// Printer writes lines and keeps the first error of the writer.
type Printer struct {
	Out io.Writer
	err error
}

// Line writes a line.
func (p *Printer) Line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.Out, format+"\n", args...)
	}
}

// Err is the first error of the writer, nil when there was none.
func (p *Printer) Err() error { return p.err }
