package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/wallet/status/journal"
)

const hub = "https://id.example"

func open(t testing.TB, dir string) *journal.Writer {
	t.Helper()
	w, err := journal.Open(dir, hub)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func set(licence string, version int64) journal.Line {
	return journal.Line{Kind: journal.Set, Licence: licence, Value: 1, Version: version, Entries: []journal.Entry{{List: "l", Index: version}}}
}

func read(dir string) ([]journal.Line, error) {
	var out []journal.Line
	err := journal.Read(dir, hub, func(l journal.Line) error {
		if l.Kind != journal.Start {
			out = append(out, l)
		}
		return nil
	})
	return out, err
}

// twoFiles writes what two runs of a server would, and returns the paths.
func twoFiles(t testing.TB, dir string) []string {
	t.Helper()
	for run := range 2 {
		w := open(t, dir)
		for i := range 3 {
			if err := w.Append(set(fmt.Sprint("run", run), int64(i+1))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	names, err := journal.Names(dir)
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	return []string{filepath.Join(dir, names[0]), filepath.Join(dir, names[1])}
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "journal")
	twoFiles(t, dir)
	lines, err := read(dir)
	if err != nil || len(lines) != 6 || lines[0].Licence != "run0" || lines[5].Licence != "run1" || lines[5].Version != 3 || lines[5].Entries[0].Index != 3 || lines[5].At == 0 {
		t.Fatalf("%v, %v", lines, err)
	}
	tails, err := journal.Tails(dir, 2)
	if err != nil || len(tails) != 6 || tails[0].Hub != hub || tails[2].Version != 3 {
		t.Fatalf("%v, %v", tails, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
}

func TestADirectoryThatIsNotThereIsEmpty(t *testing.T) {
	if lines, err := read(filepath.Join(t.TempDir(), "none")); err != nil || len(lines) != 0 {
		t.Fatalf("%v, %v", lines, err)
	}
	dir := t.TempDir()
	open(t, dir) // and writes nothing
	if names, err := journal.Names(dir); err != nil || len(names) != 0 {
		t.Fatalf("%v, %v", names, err)
	}
}

// Whatever is done to the files, it shows; and the same files untouched are read.
func TestAlterationsShow(t *testing.T) {
	for name, alter := range map[string]func(t *testing.T, paths []string){
		"a value":                     func(t *testing.T, p []string) { replace(t, p[0], `"value":1`, `"value":0`) },
		"a hash":                      func(t *testing.T, p []string) { flip(t, p[0], 3) },
		"a line taken out":            func(t *testing.T, p []string) { cut(t, p[0], 1, 2) },
		"the first line taken out":    func(t *testing.T, p []string) { cut(t, p[0], 0, 1) },
		"two lines exchanged":         func(t *testing.T, p []string) { exchange(t, p[0]) },
		"the end of the older file":   func(t *testing.T, p []string) { cut(t, p[0], 3, 4) },
		"the older file":              func(t *testing.T, p []string) { remove(t, p[0]) },
		"a line without its hash":     func(t *testing.T, p []string) { replace(t, p[1], " {", "{") },
		"the beginning of a file":     func(t *testing.T, p []string) { replace(t, p[1], hub, "https://it.example") },
		"one file in place of others": func(t *testing.T, p []string) { copyOver(t, p[1], p[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			paths := twoFiles(t, dir)
			alter(t, paths)
			if lines, err := read(dir); !errors.Is(err, journal.ErrBroken) {
				t.Fatalf("%d lines, %v", len(lines), err)
			}
		})
	}
}

// A line that a crash cut off was never acknowledged: it is left out, and the files after it go on.
func TestALineThatACrashCutOffIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	if err := errors.Join(w.Append(set("a", 1)), w.Close()); err != nil {
		t.Fatal(err)
	}
	names, _ := journal.Names(dir)
	path := filepath.Join(dir, names[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for end := bytes.IndexByte(whole, '\n') + 1; end < len(whole); end++ {
		if err := os.WriteFile(path, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		if lines, err := read(dir); err != nil || len(lines) != 0 {
			t.Fatalf("cut at %d: %v, %v", end, lines, err)
		}
	}
	next := open(t, dir)
	if err := next.Append(set("b", 1)); err != nil {
		t.Fatal(err)
	}
	if lines, err := read(dir); err != nil || len(lines) != 1 || lines[0].Licence != "b" {
		t.Fatalf("%v, %v", lines, err)
	}
}

func TestWritersAtTheSameTimeLoseNothing(t *testing.T) {
	dir := t.TempDir()
	writers := []*journal.Writer{open(t, dir), open(t, dir)}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 25 {
				w := writers[g%2]
				if err := w.Append(set(fmt.Sprint(g), int64(i+1))); err != nil {
					t.Error(err)
				}
				if err := w.Note(journal.Line{Kind: journal.Given, Licence: fmt.Sprint(g)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines, err := read(dir)
	if err != nil || len(lines) != 400 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	last := map[string]int64{}
	for _, l := range lines {
		if l.Kind == journal.Set {
			if l.Version != last[l.Licence]+1 {
				t.Fatalf("%s: %d after %d", l.Licence, l.Version, last[l.Licence])
			}
			last[l.Licence] = l.Version
		}
	}
}

func TestAClosedOrFullWriterSaysSo(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	if err := w.Append(set("a", 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(set("a", 2)); err == nil {
		t.Fatal("a line in a directory that is gone was acknowledged")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(set("a", 2)); err != nil { // it is there again: the next line makes a new file
		t.Fatal(err)
	}
	if lines, err := read(dir); err != nil || len(lines) != 1 {
		t.Fatalf("%v, %v", lines, err)
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	for _, p := range twoFiles(f, dir) {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "0000000000000000-0.journal"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := read(dir)
		tails, _ := journal.Tails(dir, 5)
		if err == nil && len(lines) > 0 && (len(tails) == 0 || tails[len(tails)-1].N != int64(len(lines))) {
			t.Fatalf("%d lines, but the last is %v", len(lines), tails)
		}
	})
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := f(bytes.Clone(b))
	if bytes.Equal(changed, b) {
		t.Fatal("nothing was altered")
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path, from, to string) {
	t.Helper()
	edit(t, path, func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) })
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		b[at] ^= 1
		return b
	})
}

func cut(t *testing.T, path string, from, to int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		lines := strings.SplitAfter(string(b), "\n")
		return []byte(strings.Join(lines[:from], "") + strings.Join(lines[to:], ""))
	})
}

func exchange(t *testing.T, path string) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		lines := strings.SplitAfter(string(b), "\n")
		lines[1], lines[2] = lines[2], lines[1]
		return []byte(strings.Join(lines, ""))
	})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func copyOver(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, to, func([]byte) []byte { return b })
}
