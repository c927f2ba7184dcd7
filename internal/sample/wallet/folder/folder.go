// Package folder keeps what a test wallet holds in a directory. IT IS FOR TESTING ONLY: private keys lie there in the clear, readable by
// whoever may read the files. Files are made with mode 0600 and never overwritten or rewritten: what changes is said by a new file beside them, so two
// programs on one directory can't undo each other.
//
//	README                 says what this is
//	ID.json                one taking: issuer, type, copies with their keys
//	ID.N.used              copy N was shown (empty; who makes the file may show the copy)
//	ID.pending             a credential that the issuer put off; gone when ID.json is there
//	ID.replaced            a refresh brought newer copies (names the other ID)
package folder

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet"
)

// Warning stands in every file.
const Warning = "for testing only: the private keys stand here in the clear"

// Errors. They are wrapped with what they are about, never with a key.
var (
	// ErrNotFound says that the directory holds no such taking.
	ErrNotFound = errors.New("the wallet holds no such credential")
	// ErrUsedUp says that every copy was shown already.
	ErrUsedUp = errors.New("every copy was shown already")
	// ErrBroken says that a file is not what this package wrote.
	ErrBroken = errors.New("the wallet's file can't be read")
)

// Folder is a directory. It is safe for concurrent use, also by several processes.
type Folder struct{ dir string }

const readme = `This is a test wallet of Hufu (hufu wallet). IT IS FOR TESTING ONLY.
The private keys in these files are in the clear: whoever can read the files can show the licences.
A wallet for people keeps its keys in hardware.
`

// Open makes the directory when it is not there yet (mode 0700).
func Open(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := create(filepath.Join(dir, "README"), []byte(readme)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return &Folder{dir}, nil
}

// create writes a new file that only its owner can read, or none at all.
func create(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// Taking is what one credential response brought: copies of one credential.
type Taking struct {
	ID            string
	Issuer        string
	Configuration string
	Format        string
	// Type is the vct or the document type.
	Type    string
	TakenAt time.Time
	Copies  []wallet.Credential
	// Used says for each copy whether it was shown.
	Used []bool
	// Replaced is the ID of the taking that a refresh brought, or "".
	Replaced string
	// Session is what a wallet needs to ask again (refresh, deferred, notification); nil when nothing was kept.
	Session json.RawMessage
	// Pending says that the issuer put the credential off: there are no copies yet.
	Pending bool
}

// Left counts the copies that were not shown yet.
func (t Taking) Left() int {
	n := 0
	for _, u := range t.Used {
		if !u {
			n++
		}
	}
	return n
}

type fileTaking struct {
	Warning       string          `json:"warning"`
	ID            string          `json:"id"`
	Issuer        string          `json:"issuer"`
	Configuration string          `json:"configuration"`
	Format        string          `json:"format"`
	Type          string          `json:"type"`
	TakenAt       time.Time       `json:"taken_at"`
	Copies        []fileCopy      `json:"copies"`
	Session       json.RawMessage `json:"session,omitempty"`
}

type fileCopy struct {
	Credential string          `json:"credential"`
	Key        json.RawMessage `json:"key"`
}

// Add stores a taking under a new ID, which it returns; one that was pending under its own.
func (f *Folder) Add(t Taking) (string, error) {
	if (len(t.Copies) == 0) != t.Pending {
		return "", fmt.Errorf("%w: nothing to keep", ErrBroken)
	}
	out := fileTaking{Warning: Warning, Issuer: t.Issuer, Configuration: t.Configuration, Format: t.Format, Type: t.Type, TakenAt: t.TakenAt, Session: t.Session}
	for _, c := range t.Copies {
		key, err := jose.MarshalPrivateJWK(c.Key)
		if err != nil {
			return "", err
		}
		out.Copies = append(out.Copies, fileCopy{c.Text, key})
	}
	if t.ID != "" {
		if err := f.write(t.ID, t.Pending, out); err != nil {
			return "", err
		}
		return t.ID, os.Remove(filepath.Join(f.dir, t.ID+".pending"))
	}
	for {
		id := strings.ToLower(rand.Text()[:6])
		if err := f.write(id, t.Pending, out); !errors.Is(err, fs.ErrExist) {
			return id, err
		}
	}
}

func (f *Folder) write(id string, pending bool, out fileTaking) error {
	out.ID = id
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	path := f.Path(id)
	if pending {
		path = filepath.Join(f.dir, id+".pending")
	}
	return create(path, append(b, '\n'))
}

// Path is the file of a taking.
func (f *Folder) Path(id string) string { return filepath.Join(f.dir, id+".json") }

// List returns all takings, the oldest first.
func (f *Folder) List() ([]Taking, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var out []Taking
	seen := map[string]bool{}
	for _, e := range entries {
		id, ending, _ := strings.Cut(e.Name(), ".")
		if ending != "json" && ending != "pending" || seen[id] {
			continue
		}
		seen[id] = true
		t, err := f.Get(id)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b Taking) int { return a.TakenAt.Compare(b.TakenAt) })
	return out, nil
}

// Get reads one taking.
func (f *Folder) Get(id string) (Taking, error) {
	if !validID(id) {
		return Taking{}, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	pending := false
	b, err := os.ReadFile(f.Path(id))
	if errors.Is(err, fs.ErrNotExist) {
		pending = true
		b, err = os.ReadFile(filepath.Join(f.dir, id+".pending"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Taking{}, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	if err != nil {
		return Taking{}, err
	}
	var in fileTaking
	if err := json.Unmarshal(b, &in); err != nil || in.ID != id || (len(in.Copies) == 0) != pending {
		return Taking{}, fmt.Errorf("%w: %s", ErrBroken, f.Path(id))
	}
	t := Taking{ID: id, Issuer: in.Issuer, Configuration: in.Configuration, Format: in.Format, Type: in.Type, TakenAt: in.TakenAt, Session: in.Session, Pending: pending}
	for i, c := range in.Copies {
		key, err := jose.ParsePrivateJWK(c.Key)
		if err != nil {
			return Taking{}, fmt.Errorf("%w: %s: %w", ErrBroken, f.Path(id), err)
		}
		t.Copies = append(t.Copies, wallet.Credential{Issuer: in.Issuer, Configuration: in.Configuration, Format: in.Format, Type: in.Type, Text: c.Credential, Key: key, ReceivedAt: in.TakenAt})
		_, err = os.Stat(f.used(id, i))
		t.Used = append(t.Used, err == nil)
	}
	if b, err := os.ReadFile(filepath.Join(f.dir, id+".replaced")); err == nil {
		t.Replaced = strings.TrimSpace(string(b))
	}
	return t, nil
}

func validID(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func (f *Folder) used(id string, i int) string {
	return filepath.Join(f.dir, fmt.Sprintf("%s.%d.used", id, i+1))
}

// Use claims the next copy that was not shown yet: each is given out once, also to two programs at a time. left counts those that remain. ErrUsedUp
// when there is none.
func (f *Folder) Use(t Taking) (c wallet.Credential, left int, err error) {
	for i := range t.Copies {
		err := create(f.used(t.ID, i), nil)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return wallet.Credential{}, 0, err
		}
		now, err := f.Get(t.ID)
		return t.Copies[i], now.Left(), err
	}
	return wallet.Credential{}, 0, fmt.Errorf("%w: %s", ErrUsedUp, t.ID)
}

// Replace notes that newer copies stand under another ID.
func (f *Folder) Replace(id, by string) error {
	return create(filepath.Join(f.dir, id+".replaced"), []byte(by+"\n"))
}
