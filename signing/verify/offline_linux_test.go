package verify

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/hufu-id/hufu/signing/bundle"
)

// inSealedRoom runs in the child process.
func inSealedRoom(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	limit := syscall.Rlimit{Cur: 0, Max: 0}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if c, err := net.Dial("udp", "127.0.0.1:9"); err == nil {
		c.Close()
		t.Fatal("the room isn't sealed: a socket could be opened")
	}
	if f, err := os.Open("world_test.go"); err == nil {
		f.Close()
		t.Fatal("the room isn't sealed: a file could be opened")
	}
	valid := w.verify(p)
	invalid := Verify(p, w.contents, Challenge{Nonce: "x", Audience: audience}, now, Policy{})
	unknown := w.edited(func(c *bundle.Contents) { delete(c.StatusLists, listURI) }).verify(p)
	fmt.Println("verdicts in the sealed room:", valid.Outcome(), invalid.Outcome(), unknown.Outcome())
	if valid.Text("zh") == "" || len(valid.JSON()) == 0 {
		t.Error("no report")
	}
}
