//go:build conformance

package main

import (
	"context"
	"fmt"

	api "github.com/hufu-id/hufu/conformance/oidf/suite"
)

// suite is the running conformance suite.
type suite struct {
	*api.Suite
	mtls string // its origin for client certificates
}

func openSuite(address, mtls, caFile string) (*suite, error) {
	s, err := api.Open(address, caFile)
	return &suite{s, mtls}, err
}

// variant chooses among the kinds of a plan or module.
type variant = map[string]string

// complaints are the lines of a module's log that say what was not in order.
func (s *suite) complaints(ctx context.Context, id string) (out []string, err error) {
	lines, err := s.Log(ctx, id)
	for _, l := range lines {
		if r := l.Text("result"); r == "FAILURE" || r == "WARNING" || r == "INTERRUPTED" {
			out = append(out, fmt.Sprintf("%s %s: %.300s", r, l.Text("src"), l.Text("msg")))
		}
	}
	return out, err
}
