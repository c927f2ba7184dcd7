//go:build conformance

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hufu-id/hufu/internal/apptest"
)

// offline proves that hufu verify needs no network and asks for none, with a presentation of the foreign wallet.
func offline(t *testing.T, d *desk, s shown) {
	file := filepath.Join(t.TempDir(), "presentation")
	if err := os.WriteFile(file, []byte(s.Presentation), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := []string{apptest.Binary(t), "verify", "--json", "--root", d.root, "--bundle", d.oldBundle, "--nonce", s.Nonce, "--audience", s.Audience, file}
	list := []string{apptest.Binary(t), "licence", "list", "--json", "--as", d.app.Ready.Departments[0].KeyFile, "--url", d.app.Ready.Issuer}
	t.Run("in a network namespace without interfaces", func(t *testing.T) {
		if r := apptest.RunCmd(t, unshared(t, verify)); r.Code != 0 || !strings.Contains(r.Stdout, `"verdict":"valid"`) {
			t.Errorf("hufu verify: %+v", r)
		}
		// The twin: what needs the network fails there, and works outside.
		if r := apptest.RunCmd(t, unshared(t, list)); r.Code != 1 {
			t.Errorf("hufu licence list reached the server without a network: %+v", r)
		}
		if r := apptest.RunCmd(t, exec.Command(list[0], list[1:]...)); r.Code != 0 {
			t.Errorf("hufu licence list: %+v", r)
		}
	})
	t.Run("opens no socket", func(t *testing.T) {
		if r := apptest.RunCmd(t, jailed(verify)); r.Code != 0 || !strings.Contains(r.Stdout, `"verdict":"valid"`) {
			t.Errorf("hufu verify: %+v", r)
		}
		// The twin: the same jail kills what opens one.
		cmd := jailed(list)
		if r := apptest.RunCmd(t, cmd); r.Code != -1 || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGSYS {
			t.Errorf("the jail let a socket pass: %+v", r)
		}
	})
}

// unshared runs a command in a network namespace of its own, in which not even loopback is up. Where that isn't permitted the test fails as root,
// who can permit it; others may not be able to.
func unshared(t *testing.T, args []string) *exec.Cmd {
	t.Helper()
	flags := []string{"-n"}
	if os.Geteuid() != 0 {
		flags = []string{"-r", "-n"}
	}
	if out, err := exec.Command("unshare", append(flags, "true")...).CombinedOutput(); err != nil {
		if os.Geteuid() == 0 {
			t.Fatalf("unshare -n isn't permitted here (it needs CAP_SYS_ADMIN), so that the verifier can't be shown to work offline: %v %s", err, out)
		}
		t.Skipf("this user may not make namespaces: %v %s", err, out)
	}
	return exec.Command("unshare", append(flags, args...)...)
}

// jailVariable tells a child of the test binary to jail itself before it becomes the command.
const jailVariable = "HUFU_CONFORMANCE_JAIL"

// jailed runs a command that the kernel kills (SIGSYS) when it opens a socket of any kind. No tracer is needed, and no privilege.
func jailed(args []string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), jailVariable+"=1")
	return cmd
}

func init() {
	if os.Getenv(jailVariable) == "" {
		return
	}
	runtime.LockOSThread()
	if err := becomeJailed(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "jail:", err)
		os.Exit(125)
	}
}

// becomeJailed installs a seccomp filter and replaces the process. It returns only an error.
func becomeJailed(args []string) error {
	if err := os.Unsetenv(jailVariable); err != nil {
		return err
	}
	const (
		prSetNoNewPrivs, prSetSeccomp, modeFilter = 38, 22, 2
		kill, allow                               = 0x80000000, 0x7fff0000
		load, jumpEqual, answer                   = 0x20, 0x15, 0x06 // BPF: load a word, jump if equal, return
	)
	architecture := map[string]uint32{"amd64": 0xc000003e, "arm64": 0xc00000b7}[runtime.GOARCH]
	if architecture == 0 {
		return fmt.Errorf("no filter for %s", runtime.GOARCH)
	}
	// struct seccomp_data: the call's number at 0, the architecture at 4. io_uring could open a socket without the call: it is closed too.
	program := []syscall.SockFilter{
		{Code: load, K: 4}, {Code: jumpEqual, K: architecture, Jt: 1}, {Code: answer, K: kill},
		{Code: load, K: 0},
		{Code: jumpEqual, K: syscall.SYS_SOCKET, Jt: 3}, {Code: jumpEqual, K: syscall.SYS_SOCKETPAIR, Jt: 2}, {Code: jumpEqual, K: ioUringSetup, Jt: 1},
		{Code: answer, K: allow}, {Code: answer, K: kill},
	}
	filter := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetSeccomp, modeFilter, uintptr(unsafe.Pointer(&filter))); e != 0 {
		return e
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// ioUringSetup has one number on every architecture.
const ioUringSetup = 425
