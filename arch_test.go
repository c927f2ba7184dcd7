package hufu_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The house's rules as data (ARCHITECTURE.md). A pattern ends in "/..." for a folder and all below it.

const module = "github.com/hufu-id/hufu/"

// rule forbids packages that match from to import what matches to.
type rule struct {
	from, except []string
	to           []string
	why          string
}

var modules = []string{
	"oidc/...",
	"federation/...",
	"wallet/register/...",
	"wallet/issuer/...",
	"wallet/holder/...",
	"wallet/hosted/...",
	"wallet/status/...",
	"signing/eseal/...",
	"wallet/counter/...",
	"wallet/correction/...",
	"wallet/reissue/...",
}

var pure = []string{
	"signing/sdjwt",
	"signing/mdoc",
	"signing/cwt",
	"signing/statuslist",
	"signing/linkable",
	"signing/sealvc",
	"signing/verify/...",
	"signing/jades",
	"internal/strictjson",
	"internal/gb",
	"federation/province",
	"oidc/dpop",
	"signing/bundle/...",
	"keys/pki",
	"oidc/credential",
	"oidc/attestation",
	"oidc/client/dn",
	"wallet/register/legal",
	"wallet/register/licencetype/...",
	"wallet/issuer/attest",
	"wallet/issuer/format",
	"wallet/issuer/envelope",
}

func rules() []rule {
	out := []rule{
		{from: []string{"..."}, except: []string{"cmd/..."}, to: []string{module + "cmd/..."}, why: "the binary is the root: nothing hangs below it"},
		{from: []string{"..."}, except: []string{"internal/jose", "internal/jose/jwe"}, to: []string{"github.com/lestrrat-go/jwx/..."}, why: "jwx v2 is frozen upstream and lenient: it lives behind one strict room"},
		{from: []string{"..."}, except: []string{"signing/cwt"}, to: []string{"github.com/fxamacker/cbor/..."}, why: "CBOR is strict in one room"},
		{from: []string{"..."}, except: []string{"oidc/internal/fositex"}, to: []string{"github.com/ory/fosite/..."}, why: "fosite is frozen upstream: a token engine behind our front door"},
		{from: []string{"..."}, except: []string{"signing/bundle/..."}, to: []string{"github.com/theupdateframework/..."}, why: "TUF metadata is made and checked in one room"},
		{from: []string{"..."}, except: []string{"internal/sqlstore/...", "cmd/...", "internal/apptest", "conformance/..."}, to: []string{module + "internal/sqlstore/..."}, why: "a module states its Store; SQL is spoken in one room"},
		{from: []string{"..."}, except: []string{"internal/sqlstore/...", "conformance/bench/floor"}, to: []string{"database/sql", "github.com/jackc/pgx/...", "modernc.org/sqlite"}, why: "SQL is spoken in one room"},
		{from: []string{"..."}, except: []string{"internal/sample/..."}, to: []string{"github.com/coreos/go-oidc/...", "golang.org/x/oauth2"}, why: "the samples are relying parties of their own; the server doesn't lean on a client library"},
		{from: []string{"..."}, except: []string{"cmd/...", "internal/apptest", "internal/sample/...", "conformance/..."}, to: []string{module + "internal/sample/..."}, why: "the sample world never reaches production code"},
	}
	for _, m := range modules {
		var others []string
		for _, o := range modules {
			if o != m {
				others = append(others, module+o)
			}
		}
		out = append(out, rule{from: []string{m}, to: others, why: "a star, not a web: modules meet in cmd/hufu/adapters.go"})
	}
	out = append(out, rule{from: pure, to: []string{"net/http", "net", "os", "os/exec", "log", "log/slog", "database/sql", module + "internal/httpx", module + "internal/sqlstore/..."},
		why: "formats take values and return values, and build for the browser"})
	return out
}

// pkg is a package as its files say: imports of non-test files, sizes, calls of time.Now.
type pkg struct {
	imports map[string]string // import path -> file
	lines   int
	now     []string
}

func TestArchitecture(t *testing.T) {
	pkgs := load(t)
	for _, r := range rules() {
		matched := false
		for name, p := range pkgs {
			if !matches(r.from, name) || matches(r.except, name) {
				continue
			}
			matched = true
			for imp, file := range p.imports {
				if matches(r.to, imp) && !within(imp, name) {
					t.Errorf("%s imports %s: %s", file, imp, r.why)
				}
			}
		}
		if !matched {
			t.Errorf("no package matches %v: the rule guards nothing", r.from)
		}
		for _, e := range r.except {
			if !anyMatch(e, pkgs) {
				t.Errorf("no package matches the exception %q", e)
			}
		}
	}
	for name, p := range pkgs {
		if matches(pure, name) {
			for _, pos := range p.now {
				t.Errorf("%s: a pure package takes the time as an argument", pos)
			}
		}
		if p.lines > 1500 {
			t.Errorf("%s has %d lines; a package has at most 1,500", name, p.lines)
		}
	}
}

// within lets a module import what lies in its own folder.
func within(imp, name string) bool {
	rel, ok := strings.CutPrefix(imp, module)
	if !ok {
		return false
	}
	for _, m := range modules {
		if matches([]string{m}, name) && matches([]string{m}, rel) {
			return true
		}
	}
	return false
}

func anyMatch(pattern string, pkgs map[string]*pkg) bool {
	for name := range pkgs {
		if matches([]string{pattern}, name) {
			return true
		}
	}
	return false
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == "..." || p == name {
			return true
		}
		if dir, ok := strings.CutSuffix(p, "/..."); ok && (name == dir || strings.HasPrefix(name, dir+"/")) {
			return true
		}
	}
	return false
}

func load(t *testing.T) map[string]*pkg {
	t.Helper()
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch base := d.Name(); {
			case base == "oryx" || base == "node_modules" || base == "testdata" || (strings.HasPrefix(base, ".") && base != "."):
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		return loadFile(t, pkgs, filepath.ToSlash(file))
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 10 {
		t.Fatalf("only %d packages found", len(pkgs))
	}
	return pkgs
}

func loadFile(t *testing.T, pkgs map[string]*pkg, file string) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	p := pkgs[path.Dir(file)]
	if p == nil {
		p = &pkg{imports: map[string]string{}}
		pkgs[path.Dir(file)] = p
	}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return err
		}
		p.imports[name] = file
	}
	lines := fset.File(f.Pos()).LineCount()
	p.lines += lines
	if lines > 400 {
		t.Errorf("%s has %d lines; a file has at most 400", file, lines)
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > 60 {
			t.Errorf("%s: %s has %d lines; a function has at most 60", file, fn.Name.Name, n)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Now" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "time" {
				p.now = append(p.now, fmt.Sprint(fset.Position(sel.Pos())))
			}
		}
		return true
	})
	return nil
}
