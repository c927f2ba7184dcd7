// Command check is the project's test command. It needs Go; whatever else a test needs (PostgreSQL, Node, Chromium, Python, Java) it finds, or installs with the
// system's package manager, and starts by itself. It fails rather than skips.
//
//	go run ./internal/check            everything, as CI does
//	go run ./internal/check -quick     without the foreign clients and the browser
//	go run ./internal/check -list      what it would do
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// step is one thing that must hold.
type step struct {
	name  string
	slow  bool // left out by -quick
	needs []tool
	run   func(ctx context.Context) error
}

func main() {
	quick := flag.Bool("quick", false, "leave out the foreign clients and the browser")
	list := flag.Bool("list", false, "print the steps and stop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	steps := steps()
	if *list {
		for _, s := range steps {
			fmt.Println(s.name)
		}
		return
	}
	begin := time.Now()
	var failed []string
	for _, s := range steps {
		if s.slow && *quick {
			continue
		}
		start := time.Now()
		fmt.Printf("== %s\n", s.name)
		err := provide(ctx, s.needs)
		if err == nil {
			err = s.run(ctx)
		}
		if err != nil {
			fmt.Printf("-- %s failed after %s: %v\n", s.name, time.Since(start).Round(time.Second), err)
			failed = append(failed, s.name)
			continue
		}
		fmt.Printf("-- %s: %s\n", s.name, time.Since(start).Round(time.Second))
	}
	if len(failed) > 0 {
		fmt.Printf("FAILED after %s: %s\n", time.Since(begin).Round(time.Second), strings.Join(failed, ", "))
		os.Exit(1)
	}
	fmt.Printf("all steps passed in %s\n", time.Since(begin).Round(time.Second))
}

func steps() []step {
	test := []string{"test", "-timeout=20m"}
	if haveC() {
		test = append(test, "-race") // needs cgo, so a C compiler
	} else {
		fmt.Println("no C compiler: the tests run without the race detector")
	}
	return []step{
		{name: "format", run: gofmt},
		{name: "vet", run: goTool("vet", "-tags=conformance", "./...")},
		{name: "lint", run: lint},
		{name: "module file is tidy", run: goTool("mod", "tidy", "-diff")},
		{name: "tests", needs: []tool{postgres}, run: goTool(append(test, packages...)...)},
		{name: "foreign clients, browser, faults", slow: true, needs: []tool{postgres, node, python, java, chromium},
			run: goTool("test", "-timeout=30m", "-count=1", "-tags=conformance", "./conformance/...")},
	}
}

// packages are what the plain tests cover: everything but conformance, whose tests run in their own step.
var packages = []string{"./cmd/...", "./federation/...", "./internal/...", "./keys/...", "./migrations/...", "./oidc/...", "./signing/...", "./wallet/...", "./web/...", "."}

func goTool(args ...string) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, ".", "go", args...) }
}

func gofmt(ctx context.Context) error {
	// It lies beside go, which is all that a fresh machine has on its path.
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(root)), "bin", "gofmt"), "-l", ".").Output()
	if err != nil {
		return err
	}
	if files := strings.TrimSpace(string(out)); files != "" {
		return fmt.Errorf("gofmt would change:\n%s", files)
	}
	return nil
}

// lint runs staticcheck from its own module, so that its dependencies stay out of ours. The set of checks is in staticcheck.conf.
func lint(ctx context.Context) error {
	return run(ctx, ".", "go", "tool", "-modfile=internal/check/tools/go.mod", "staticcheck", "-tags=conformance", "./...")
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	return cmd.Run()
}

func haveC() bool {
	for _, cc := range []string{os.Getenv("CC"), "gcc", "clang", "cc"} {
		if cc == "" {
			continue
		}
		if _, err := exec.LookPath(cc); err == nil {
			return true
		}
	}
	return false
}
