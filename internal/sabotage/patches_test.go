package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A patch that no longer fits its file, or whose tests have another name now, takes nothing out and looks as if it were caught. Whoever changes a line
// that stands in patches.go changes it there too: then `make sabotage` can still say that somebody would notice.
func TestPatchesFit(t *testing.T) {
	root := filepath.Join("..", "..")
	if err := fits(root, all()); err != nil {
		t.Error(err)
	}
	if n := len(all()); n < 40 {
		t.Errorf("%d patches", n)
	}
	seen := map[string]bool{}
	for _, p := range all() {
		if seen[p.id] || strings.Contains(p.old, "\n") || strings.Contains(p.new, "\n") || p.old == p.new {
			t.Errorf("%s: a patch has an id of its own and changes one line", p.id)
		}
		seen[p.id] = true
		top, _, _ := strings.Cut(p.run, "/")
		name := regexp.MustCompile(top)
		found := false
		for _, test := range testsOf(t, filepath.Join(root, p.pkg)) {
			found = found || name.MatchString(test)
		}
		if !found {
			t.Errorf("%s: no test of %s is called %s", p.id, p.pkg, p.run)
		}
	}
}

var names = map[string][]string{}

// testsOf are the names of a package's tests.
func testsOf(t *testing.T, dir string) []string {
	t.Helper()
	if list, ok := names[dir]; ok {
		return list
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	var list []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				list = append(list, fn.Name.Name)
			}
		}
	}
	names[dir] = list
	return list
}
