package apptest

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel kill the process when the thread that started it ends. Go keeps its threads, unless a goroutine ends
// while locked to one; tests don't.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
