package verify

import (
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// R09: nothing in the verifier's own rooms can reach a network, a file or a clock, or speak to one behind its back.
func TestR09ImportsNothingThatReachesOut(t *testing.T) {
	forbidden := map[string]bool{"net": true, "net/http": true, "os": true, "os/exec": true, "syscall": true, "log": true,
		"log/slog": true, "database/sql": true, "io/ioutil": true, "unsafe": true, "plugin": true, "math/rand": true}
	for _, dir := range []string{".", "internal/report", "../sdjwt", "../statuslist", "../mdoc", "../cwt"} {
		p, err := build.ImportDir(filepath.FromSlash(dir), 0)
		must(t, err)
		for _, imported := range p.Imports {
			if forbidden[imported] {
				t.Errorf("%s imports %s", dir, imported)
			}
		}
		for _, file := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			for _, call := range []string{"time.Now(", "time.Since(", "time.Until(", "time.Local"} {
				if strings.Contains(string(source), call) {
					t.Errorf("%s/%s calls %s", dir, file, call)
				}
			}
		}
	}
}

const sealedRoom = "HUFU_TEST_SEALED_ROOM"

// R09: the verifier runs in a process that may open nothing: no socket, no file, no pipe. The limit on open files is set
// below what is open already, so that every socket(2) and open(2) fails, and the verdicts are the same as outside.
func TestR09VerdictWithoutAnySocket(t *testing.T) {
	if os.Getenv(sealedRoom) != "" {
		inSealedRoom(t)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux limits")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestR09VerdictWithoutAnySocket$", "-test.v")
	cmd.Env = append(os.Environ(), sealedRoom+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "verdicts in the sealed room: valid invalid cannot_tell") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	w := newWorld(t)
	v := New(w.contents, Policy{})
	one, other := w.present(w.issue(nil)), w.present(w.issue(set("exp", now.Unix())))
	want := string(v.Verify(one, challenge, now).JSON())
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if got := string(v.Verify(one, challenge, now).JSON()); got != want {
					t.Errorf("another verdict: %s", got)
				}
				if v.Verify(other, challenge, now).Outcome() != Invalid {
					t.Error("expired, and not invalid")
				}
			}
		})
	}
	wait.Wait()
}

// The verifier remembers at most so many chains: hostile presentations bring a new one each.
func TestCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	v := New(w.contents, Policy{})
	for i := range 1000 {
		v.list("https://x.example/" + strings.Repeat("a", i))
		v.typeOf(strings.Repeat("a", i))
	}
	if len(v.lists) > 0 || len(v.types) > 0 {
		t.Errorf("%d lists, %d types that the bundle doesn't have", len(v.lists), len(v.types))
	}
	expect(t, v.Verify(w.present(w.issue(nil)), challenge, now), Valid, "ok")
}

// FuzzVerify: no text makes the verifier panic, and none but what the authority signed is valid.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	good := w.present(w.issue(nil))
	f.Add(good)
	f.Add(w.issue(nil))
	f.Add(w.present(w.issue(set("status", nil))))
	f.Add("")
	f.Add("~~")
	v := New(w.contents, Policy{})
	f.Fuzz(func(t *testing.T, text string) {
		got := v.Verify(text, challenge, now)
		if got.Outcome() == Valid && strings.TrimSpace(text) != good {
			t.Errorf("valid: %s", text)
		}
		if len(got.Checks()) != 9 || len(got.JSON()) == 0 || got.Text("zh") == "" {
			t.Error("no full report")
		}
	})
}
