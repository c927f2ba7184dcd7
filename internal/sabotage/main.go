// Command sabotage asks whether the tests of the OpenID Provider would notice if a check went missing. It copies the repository, takes one check out
// at a time (patches.go), and requires that the tests named beside it go red. First it requires that they are green without.
//
//	go run ./internal/sabotage              all patches; the result is the last line
//	go run ./internal/sabotage -run pkce    those whose id matches
//	go run ./internal/sabotage -list        what it would do
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patch takes one check out.
type patch struct {
	id   string // what is missing then
	file string
	// old is a piece of one line that stands exactly once in the file; it becomes new. The code must still compile.
	old, new string
	// pkg and run are the tests that must notice.
	pkg, run string
}

func main() {
	only := flag.String("run", "", "only patches whose id matches this regular expression")
	list := flag.Bool("list", false, "print the patches and stop")
	workers := flag.Int("workers", 2, "how many copies of the repository to work in")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var chosen []patch
	for _, p := range all() {
		if wanted.MatchString(p.id) {
			chosen = append(chosen, p)
		}
	}
	if *list {
		for _, p := range chosen {
			fmt.Printf("%-28s %s\n%-28s must be noticed by %s %s\n", p.id, p.file, "", p.pkg, p.run)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := time.Now()
	caught, err := sabotage(ctx, chosen, *workers)
	fmt.Printf("%d of %d caught in %s\n", caught, len(chosen), time.Since(start).Round(time.Second))
	if err != nil {
		fmt.Println(err)
	}
	if err != nil || caught != len(chosen) || caught == 0 {
		os.Exit(1)
	}
}

// sabotage tries all patches and returns how many were noticed.
func sabotage(ctx context.Context, patches []patch, workers int) (caught int, err error) {
	root, err := repository()
	if err != nil {
		return 0, err
	}
	if err := fits(root, patches); err != nil {
		return 0, err
	}
	jobs, results := make(chan patch), make(chan result)
	var wg sync.WaitGroup
	for range workers {
		c, err := newCopy(root)
		if err != nil {
			return 0, err
		}
		defer c.remove()
		wg.Go(func() {
			for p := range jobs {
				results <- c.try(ctx, p)
			}
		})
	}
	go func() {
		for _, p := range patches {
			jobs <- p
		}
		close(jobs)
		wg.Wait()
		close(results)
	}()
	for r := range results {
		verdict := "caught"
		if r.err != nil {
			verdict = "FAILED: " + r.err.Error()
		} else {
			caught++
		}
		fmt.Printf("%-28s %5.1fs  %s\n", r.patch.id, r.took.Seconds(), verdict)
	}
	return caught, ctx.Err()
}

type result struct {
	patch patch
	took  time.Duration
	err   error
}

// repository is the top of the repository that we are run in.
func repository() (string, error) {
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	return strings.TrimSpace(string(out)), err
}

// fits says whether every patch's old text stands exactly once in its file: else it would take nothing out, or something else.
func fits(root string, patches []patch) error {
	var errs []error
	for _, p := range patches {
		text, err := os.ReadFile(filepath.Join(root, p.file))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.id, err))
			continue
		}
		if n := strings.Count(string(text), p.old); n != 1 {
			errs = append(errs, fmt.Errorf("%s: %q stands %d times in %s", p.id, p.old, n, p.file))
		}
	}
	return errors.Join(errs...)
}
