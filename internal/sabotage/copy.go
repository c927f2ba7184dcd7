package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// limit is how long one run of tests may take. A test that hangs without the check has noticed nothing.
const limit = 2 * time.Minute

// repoCopy is a copy of the repository in which checks go missing.
type repoCopy struct {
	dir string
	// green are the tests that passed here without any patch.
	green map[string]bool
}

// newCopy copies what git knows or would add; a work tree's own files stay as they are.
func newCopy(root string) (*repoCopy, error) {
	dir, err := os.MkdirTemp("", "hufu-sabotage-")
	if err != nil {
		return nil, err
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return &repoCopy{dir: dir, green: map[string]bool{}}, nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func (c *repoCopy) remove() { _ = os.RemoveAll(c.dir) }

// try applies a patch, runs its tests, and takes the patch back. A nil error means that the tests went red, after they had been green.
func (c *repoCopy) try(ctx context.Context, p patch) result {
	start := time.Now()
	done := func(err error) result { return result{patch: p, took: time.Since(start), err: err} }
	if err := c.greenBefore(ctx, p); err != nil {
		return done(err)
	}
	file := filepath.Join(c.dir, p.file)
	text, err := os.ReadFile(file)
	if err != nil {
		return done(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o644); err != nil {
		return done(err)
	}
	binary := filepath.Join(c.dir, "sabotaged.test")
	err = c.compile(ctx, p.pkg, binary)
	if err == nil {
		var red bool
		if red, err = c.run(ctx, binary, p); err == nil && !red {
			err = errors.New("NOBODY NOTICED")
		}
	}
	return done(errors.Join(err, os.WriteFile(file, text, 0o644)))
}

// greenBefore requires that the tests of a patch pass without it.
func (c *repoCopy) greenBefore(ctx context.Context, p patch) error {
	if c.green[p.pkg+" "+p.run] {
		return nil
	}
	binary := filepath.Join(c.dir, strings.ReplaceAll(p.pkg, "/", "-")+".test")
	if _, err := os.Stat(binary); err != nil {
		if err := c.compile(ctx, p.pkg, binary); err != nil {
			return err
		}
	}
	red, err := c.run(ctx, binary, p)
	if red {
		err = errors.New("its tests are red without it")
	}
	c.green[p.pkg+" "+p.run] = err == nil
	return err
}

// compile makes the tests of a package, without what only a debugger reads: linking is most of the time.
func (c *repoCopy) compile(ctx context.Context, pkg, binary string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary, "./"+pkg)
	build.Dir = c.dir
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("does not compile: %w\n%s", err, out)
	}
	return nil
}

// run runs the tests of a patch. Red is a test that failed; a filter that finds no test, or tests that don't come to an end, are errors.
func (c *repoCopy) run(ctx context.Context, binary string, p patch) (red bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	run := exec.CommandContext(ctx, binary, "-test.run="+p.run, "-test.v", "-test.short")
	run.Dir = filepath.Join(c.dir, p.pkg)
	out, err := run.CombinedOutput()
	text := string(out)
	switch {
	case ctx.Err() != nil:
		return false, fmt.Errorf("the tests took more than %s", limit)
	case err == nil && strings.Count(text, "--- PASS") <= strings.Count(p.run, "/"):
		return false, errors.New("no such test") // each level of a filter has one that passed
	case err == nil:
		return false, nil
	case !strings.Contains(text, "--- FAIL"):
		return false, fmt.Errorf("the tests did not run: %w\n%s", err, out)
	}
	return true, nil
}
