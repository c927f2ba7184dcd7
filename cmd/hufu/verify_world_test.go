package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/trusttest"
)

// fileWorld is a whole federation in a directory: root and bundle files, a licence, and the keys to publish more.
type fileWorld struct {
	*trusttest.World
	t       *testing.T
	dir     string
	now     time.Time
	licence string
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFileWorld(t *testing.T) *fileWorld {
	t.Helper()
	w := &fileWorld{t: t, dir: t.TempDir(), now: time.Now().Truncate(time.Second)}
	w.World = trusttest.New(t, w.now)
	w.licence = w.Licence(w.now, nil)
	w.write("licence.txt", []byte(w.licence+"\n"))
	w.write("presentation.txt", []byte(w.Bind(w.WithoutNumber(w.licence), "https://counter.example", "n-1", w.now)))
	w.publish("bundle.zip", w.now)
	w.write("root.json", w.Root())
	return w
}

// publish builds the next version as of a time and writes its archive.
func (w *fileWorld) publish(name string, at time.Time) {
	w.t.Helper()
	w.write(name, w.Publish(at))
}

func (w *fileWorld) write(name string, b []byte) {
	w.t.Helper()
	check(w.t, os.WriteFile(w.path(name), b, 0o600))
}

func (w *fileWorld) path(name string) string { return filepath.Join(w.dir, name) }

// hufu runs a command as the program would; arguments with "@" name files of the world.
func (w *fileWorld) hufu(cmd *cobra.Command, args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = w.path(name)
		}
	}
	var out, errs bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	code, message := exitCode(cmd.Execute())
	return code, out.String(), errs.String() + message
}
