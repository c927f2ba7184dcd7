package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hashLen is the length of a hash in hex.
const hashLen = 48

// maxLine bounds one line: a licence has some tens of entries, a set names all of them.
const maxLine = 16 << 20

// Names lists the files of a directory, oldest first. A directory that isn't there has none.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), suffix) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Read calls fn with every line of every file, oldest file first, and checks the chains. ErrBroken for a line that was changed or taken
// out, a file of another hub, or a file that another one names and that is missing or shorter now.
func Read(dir, hub string, fn func(Line) error) error {
	names, err := Names(dir)
	if err != nil {
		return err
	}
	witness := map[string]string{} // file -> a hash that it must have
	for _, name := range names {
		starts, err := first(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("journal: %s: %w", name, err)
		}
		for other, hash := range starts.Files {
			if !slices.Contains(names, other) {
				return fmt.Errorf("%w: %s names %s, which is missing", ErrBroken, name, other)
			}
			witness[other] = hash // the latest one, as names rise with time
		}
	}
	for _, name := range names {
		if err := readFile(filepath.Join(dir, name), hub, witness[name], fn); err != nil {
			return fmt.Errorf("journal: %s: %w", name, err)
		}
	}
	return nil
}

func readFile(path, hub, witness string, fn func(Line) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	last, seen := "", witness == ""
	for n := int64(0); ; n++ {
		raw, whole, err := readLine(r)
		if err != nil {
			return err
		}
		if !whole { // the end, or a line that a crash cut off
			break
		}
		l, hash, err := parse(raw)
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		if hash != chain(last, raw[hashLen+1:]) || l.N != n || (n == 0) != (l.Kind == Start) {
			return fmt.Errorf("%w: line %d doesn't follow the one before", ErrBroken, n+1)
		}
		if n == 0 && l.Hub != hub {
			return fmt.Errorf("%w: it is the journal of %q, not of %q", ErrBroken, l.Hub, hub)
		}
		last = hash
		seen = seen || hash == witness
		if err := fn(l); err != nil {
			return err
		}
	}
	if !seen {
		return fmt.Errorf("%w: it ends before a line that another file names", ErrBroken)
	}
	return nil
}

// readLine returns a line without its end. whole is false at the end of the file, also when a part of a line stands there.
func readLine(r *bufio.Reader) (line []byte, whole bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], true, nil
		case errors.Is(err, io.EOF):
			return nil, false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		case len(line) > maxLine:
			return nil, false, fmt.Errorf("%w: a line of more than %d bytes", ErrBroken, maxLine)
		}
	}
}

func parse(raw []byte) (Line, string, error) {
	var l Line
	if len(raw) < hashLen+3 || raw[hashLen] != ' ' {
		return l, "", fmt.Errorf("%w: not a line", ErrBroken)
	}
	if err := json.Unmarshal(raw[hashLen+1:], &l); err != nil {
		return l, "", fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return l, string(raw[:hashLen]), nil
}

// first returns the first line of a file, or the zero line of an empty one.
func first(path string) (Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return Line{}, err
	}
	defer f.Close()
	raw, whole, err := readLine(bufio.NewReader(f))
	if err != nil || !whole {
		return Line{}, err
	}
	l, _, err := parse(raw)
	return l, err
}

// tailSize is how much of a file's end Tail looks at.
const tailSize = 64 << 10

// Tails returns the last lines of each file, at most so many, and its first, so that a start needn't read years of them. Chains are not checked.
func Tails(dir string, most int) ([]Line, error) {
	names, err := Names(dir)
	if err != nil {
		return nil, err
	}
	var out []Line
	for _, name := range names {
		start, err := first(filepath.Join(dir, name))
		var lines []Line
		if err == nil {
			lines, _, err = tail(filepath.Join(dir, name))
		}
		if err != nil {
			return nil, fmt.Errorf("journal: %s: %w", name, err)
		}
		if start.Kind != "" {
			out = append(out, start)
		}
		out = append(out, lines[max(len(lines)-most, 0):]...)
	}
	return out, nil
}

// tail returns the last whole lines of a file and the hash of the last.
func tail(path string) ([]Line, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	for size := int64(tailSize); ; size *= 8 {
		from := max(info.Size()-size, 0)
		b := make([]byte, info.Size()-from)
		if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, "", err
		}
		if from > 0 { // the first part is of a line that began before
			_, b, _ = bytes.Cut(b, []byte{'\n'})
		}
		end := bytes.LastIndexByte(b, '\n')
		if end < 0 {
			if from > 0 && size < maxLine {
				continue
			}
			return nil, "", nil
		}
		var out []Line
		last := ""
		for raw := range bytes.SplitSeq(b[:end], []byte{'\n'}) {
			l, hash, err := parse(raw)
			if err != nil {
				return nil, "", err
			}
			out, last = append(out, l), hash
		}
		return out, last, nil
	}
}

// lastHashes returns the hash of the last line of each file, once that line is on the disk: a hash that nothing has any more would look like
// a line taken out.
func lastHashes(dir string) (map[string]string, error) {
	names, err := Names(dir)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(names))
	for _, name := range names {
		path := filepath.Join(dir, name)
		_, last, err := tail(path)
		if err == nil {
			err = syncPath(path)
		}
		if err != nil {
			return nil, fmt.Errorf("journal: %s: %w", name, err)
		}
		out[name] = last
	}
	return out, nil
}
