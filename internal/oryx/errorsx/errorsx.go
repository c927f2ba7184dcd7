// Package errorsx stands in for github.com/ory/x/errorsx, of which fosite uses one function and five
// one-method interfaces. The real module brings some 280 modules (telemetry exporters, database tools)
// into the graph; this one brings none.
package errorsx

import "errors"

// WithStack returns err unchanged: fosite calls it only to record a stack, which our logs don't carry.
func WithStack(err error) error { return err }

// Cause returns the innermost error that err wraps.
func Cause(err error) error {
	for err != nil {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
	return nil
}

type (
	// DebugCarrier is an error that knows a debug text.
	DebugCarrier interface{ Debug() string }
	// ReasonCarrier is an error that knows a reason.
	ReasonCarrier interface{ Reason() string }
	// DetailsCarrier is an error that knows details.
	DetailsCarrier interface{ Details() map[string]interface{} }
	// RequestIDCarrier is an error that knows the request it belongs to.
	RequestIDCarrier interface{ RequestID() string }
	// StatusCarrier is an error that knows a status text.
	StatusCarrier interface{ Status() string }
	// StatusCodeCarrier is an error that knows an HTTP status code.
	StatusCodeCarrier interface{ StatusCode() int }
)
