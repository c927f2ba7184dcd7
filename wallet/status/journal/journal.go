// Package journal keeps what a restored database would have forgotten: which indices of status lists were given out, and which licences were
// revoked or suspended. It is a directory of files outside the database and outside its backups.
//
// A file belongs to one run of one process and is only appended to. Each line is a hash, a space and a JSON object; the hash covers the line and the hash
// before it, and the first line names the last hash of every other file, so that a line that was changed or taken out shows. A line that a
// crash cut off is the last one of its file and was never acknowledged.
//
// Who writes, writes after the commit: what is in the journal was true in the database. A set is on the disk before anybody hears that it is done;
// what a crash keeps from being written, the database still knows and tells later.
package journal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Kinds of lines.
const (
	Start = "start" // the first of a file
	Epoch = "epoch" // a new epoch of lists begins, and with it a restore is done
	// Restoring: a restore begins. Until the next Epoch the database may know the end of the story and not the rest.
	Restoring = "restoring"
	Made      = "list"  // a list was made
	Given     = "given" // indices were given out
	Set       = "set"   // a licence got a value
	// Retired: indices are invalid for good, whatever their licence is.
	Retired = "retired"
)

// Line is one fact. Which members it has depends on its kind.
type Line struct {
	// N counts the lines of a file from 0. Writers leave it, and At if it is now.
	N    int64  `json:"n"`
	Kind string `json:"t"`
	// At is when, in Unix microseconds.
	At int64 `json:"at"`
	// Hub is the server's origin and Files the last hash of each other file (Start).
	Hub   string            `json:"hub,omitempty"`
	Files map[string]string `json:"files,omitempty"`
	// Epoch is the new epoch (Epoch).
	Epoch string `json:"epoch,omitempty"`
	// List describes a list (Made).
	List *List `json:"list,omitempty"`
	// Licence is the licence's id, Entries its indices (Given: new ones; Set: all; Retired: those, of any licence), Value what they are set to and
	// Version which change of this licence it is, counted from 1 (Set).
	Licence string  `json:"licence,omitempty"`
	Entries []Entry `json:"entries,omitempty"`
	Value   uint8   `json:"value,omitempty"`
	Version int64   `json:"version,omitempty"`
}

// List is a status list without its content. Expires is in Unix microseconds.
type List struct {
	ID      string `json:"id"`
	Pool    string `json:"pool"`
	Ordinal int64  `json:"ordinal"`
	Size    int64  `json:"size"`
	Expires int64  `json:"expires"`
}

// Entry is one index of a list.
type Entry struct {
	List  string `json:"l"`
	Index int64  `json:"i"`
}

const suffix = ".journal"

// ErrBroken: a line was changed, or one is missing.
var ErrBroken = errors.New("journal: broken")

// Writer appends to one file, which it makes with the first line. It is safe for concurrent use.
type Writer struct {
	dir, hub string

	mu   sync.Mutex // of all below, held while writing
	file *file

	syncing sync.Mutex // held while the disk works, so that all who wait meanwhile share the next turn
}

// file is one file as it is being written.
type file struct {
	f       *os.File
	name    string
	last    string // hash of the last line
	n       int64  // lines
	synced  int64  // lines on the disk; guarded by Writer.syncing
	failure error  // nothing more is written
}

// Open returns a writer in a directory, which it makes if need be. hub is the server's origin: lines of another server are refused when reading.
func Open(dir, hub string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Writer{dir: dir, hub: hub}, nil
}

// Dir is the directory.
func (w *Writer) Dir() string { return w.dir }

// Append writes lines and returns when they are on the disk. Calls at the same time share one turn of the disk.
func (w *Writer) Append(lines ...Line) error {
	f, upto, err := w.write(lines)
	if err != nil {
		return err
	}
	w.syncing.Lock()
	defer w.syncing.Unlock()
	if f.synced >= upto {
		return nil
	}
	w.mu.Lock()
	reach, failure := f.n, f.failure
	w.mu.Unlock()
	if failure != nil {
		return failure
	}
	if err := f.f.Sync(); err != nil {
		// What reached the disk is unknown now: this file is left as it is, and the next line begins another.
		return w.fail(f, err)
	}
	f.synced = reach
	return nil
}

// Note writes lines and doesn't wait for the disk: a crash of the process doesn't lose them, one of the machine may.
func (w *Writer) Note(lines ...Line) error {
	_, _, err := w.write(lines)
	return err
}

// Close ends the file.
func (w *Writer) Close() error {
	w.syncing.Lock()
	defer w.syncing.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.f.Sync(), w.file.f.Close())
	w.file.failure = errors.New("journal: closed")
	w.file = nil
	return err
}

func (w *Writer) fail(f *file, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.failure == nil {
		f.failure = fmt.Errorf("journal: %w", err)
		_ = f.f.Close() // the first error is the one to tell
	}
	if w.file == f {
		w.file = nil
	}
	return f.failure
}

// write appends and says up to which line of which file.
func (w *Writer) write(lines []Line) (*file, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		f, err := w.create()
		if err != nil {
			return nil, 0, err
		}
		w.file = f
	}
	f := w.file
	if err := f.append(lines); err != nil {
		f.failure = fmt.Errorf("journal: %w", err)
		_ = f.f.Close() // the first error is the one to tell
		w.file = nil
		return nil, 0, f.failure
	}
	return f, f.n, nil
}

func (w *Writer) create() (*file, error) {
	files, err := lastHashes(w.dir)
	if err != nil {
		return nil, err
	}
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("journal: randomness: %w", err)
	}
	now := time.Now()
	name := fmt.Sprintf("%016d-%s%s", now.UnixMicro(), hex.EncodeToString(b[:]), suffix) // names sort by time
	f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	out := &file{f: f, name: name}
	err = out.append([]Line{{Kind: Start, Hub: w.hub, Files: files}})
	if err == nil {
		err = syncPath(w.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), f.Close())
	}
	return out, nil
}

// syncPath brings a file, or a directory's names, to the disk.
func syncPath(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// append writes lines by one call to the system.
func (f *file) append(lines []Line) error {
	var out strings.Builder
	last, n := f.last, f.n
	for _, l := range lines {
		l.N = n
		if l.At == 0 {
			l.At = time.Now().UnixMicro()
		}
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		last = chain(last, b)
		out.WriteString(last)
		out.WriteByte(' ')
		out.Write(b)
		out.WriteByte('\n')
		n++
	}
	if _, err := f.f.WriteString(out.String()); err != nil {
		return err
	}
	f.last, f.n = last, n
	return nil
}

// chain is the hash of a line: 24 bytes of SHA-256 over the hash before it and the JSON.
func chain(before string, line []byte) string {
	h := sha256.New()
	h.Write([]byte(before))
	h.Write(line)
	return hex.EncodeToString(h.Sum(nil)[:24])
}
