package deptclient

import "testing"

// A refusal repeats what others wrote (a reason, a name): it must not steer the terminal of who reads it.
func TestRefusalsDontSteerTheTerminal(t *testing.T) {
	e := parseRefusal(409, []byte(`{"code":"no\u001b]0;x\u0007","title":"Refused\u001b[2J\r","detail":"by \u202eevil","trace_id":"t\u009b1"}`), "")
	if got, want := e.Error(), "the server refused [409 no]0;x]: Refused[2J: by evil (trace t1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
