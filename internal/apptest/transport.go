package apptest

import (
	"net/http"
	"os/exec"
)

// Use makes rt carry the browser's requests, such as a balancer before several nodes of one origin. Call it before the first request.
func (b *Browser) Use(rt http.RoundTripper) { b.client.Transport = rt }

// DieWithParent makes a command that is about to start end when this process is killed, where the system can do that.
func DieWithParent(cmd *exec.Cmd) { dieWithParent(cmd) }
