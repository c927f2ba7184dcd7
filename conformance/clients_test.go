//go:build conformance

package conformance

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// eachEngine runs the test against a hufu dev of its own on each engine.
func eachEngine(t *testing.T, run func(t *testing.T, app *apptest.App)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { run(t, apptest.Start(t, apptest.Options{})) })
	t.Run("postgres", func(t *testing.T) {
		run(t, apptest.Start(t, apptest.Options{Database: sqltest.DSN(t, sqlstore.PostgreSQL)}))
	})
}

// cached makes a folder in the user's cache, named by the files that decide its content, once. A half-made one is never seen under that name.
func cached(t *testing.T, name string, from []string, fill func(dir string) error) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	h := sha256.New()
	for _, f := range from {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	dir := filepath.Join(base, "hufu", name+"-"+hex.EncodeToString(h.Sum(nil))[:16])
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	// Not renamed into place: a Python environment knows its own path. Two at once are kept apart by go test's one process per package.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fill(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
	return cmd.Run()
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

var nodeOnce sync.Mutex

// nodeClients returns a folder with the locked npm packages.
func nodeClients(t *testing.T) string {
	t.Helper()
	nodeOnce.Lock()
	defer nodeOnce.Unlock()
	files := []string{"clients/package.json", "clients/package-lock.json"}
	return cached(t, "clients", files, func(dir string) error {
		for _, f := range files {
			if err := copyFile(f, filepath.Join(dir, filepath.Base(f))); err != nil {
				return err
			}
		}
		return command(dir, "npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")
	})
}

var javaOnce sync.Mutex

// jars returns the folder of clients/<name> with its program's jars, each with the SHA-256 that checksums.txt says.
func jars(t *testing.T, name string) string {
	t.Helper()
	javaOnce.Lock()
	defer javaOnce.Unlock()
	pom, sums := filepath.Join("clients", name, "pom.xml"), filepath.Join("clients", name, "checksums.txt")
	return filepath.Join(cached(t, name, []string{pom, sums}, func(dir string) error {
		if err := copyFile(pom, filepath.Join(dir, "pom.xml")); err != nil {
			return err
		}
		if err := command(dir, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
			return err
		}
		want, err := os.ReadFile(sums)
		if err != nil {
			return err
		}
		var got strings.Builder
		files, err := os.ReadDir(filepath.Join(dir, "lib"))
		if err != nil {
			return err
		}
		for _, file := range files {
			b, err := os.ReadFile(filepath.Join(dir, "lib", file.Name()))
			if err != nil {
				return err
			}
			fmt.Fprintf(&got, "%x  %s\n", sha256.Sum256(b), file.Name())
		}
		if got.String() != string(want) {
			return fmt.Errorf("the files aren't those of %s:\n%s", sums, got.String())
		}
		return nil
	}), "lib")
}

// scriptTimeout bounds one script of a client.
const scriptTimeout = 3 * time.Minute

// script runs clients/<name>, which reports its checks as subtests' results and asks do for what only the test can do.
func script(t *testing.T, name string, config any, do func(request json.RawMessage) any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	// Node looks for packages from a script's real folder upwards: the scripts run beside the packages.
	run := t.TempDir()
	scripts, err := filepath.Glob("clients/*.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, s := range scripts {
		if err := copyFile(s, filepath.Join(run, filepath.Base(s))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(nodeClients(t), "node_modules"), filepath.Join(run, "node_modules")); err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", filepath.Join(run, name))
	cmd.Env = append(os.Environ(), "HUFU_TEST="+string(given))
	converse(t, cmd, do)
}

// report is a line of a script; see clients/lib.mjs.
type report struct {
	Check string          `json:"check"`
	OK    bool            `json:"ok"`
	Got   json.RawMessage `json:"got"`
	Do    json.RawMessage `json:"do"`
	Note  string          `json:"note"`
	Done  bool            `json:"done"`
	Fatal string          `json:"fatal"`
}

func converse(t *testing.T, cmd *exec.Cmd, do func(request json.RawMessage) any) {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	done, checks := false, 0
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var r report
		if err := json.Unmarshal(line, &r); err != nil {
			t.Logf("%s", line)
			continue
		}
		switch {
		case r.Fatal != "":
			t.Errorf("%s", r.Fatal)
		case r.Check != "" && !r.OK:
			t.Errorf("%s: %s", r.Check, r.Got)
		case r.Check != "":
			checks++
		case r.Note != "":
			t.Log(r.Note)
		case r.Done:
			done = true
		case r.Do != nil:
			answer, err := json.Marshal(do(r.Do))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, string(answer)+"\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !done {
		t.Errorf("the script did not reach its end; it wrote: %s", stderr.String())
	}
	t.Logf("%d checks passed", checks)
}
