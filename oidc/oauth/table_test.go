package oauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/oidc/oauth"
)

// makers are the functions that make an error from their arguments: their own bodies hold no text, their callers do. The numbers are
// the places of code and description.
var makers = map[string][2]int{"New": {0, 1}, "Because": {0, 1}, "refusal": {1, 2}}

// composed are the files whose texts are put together (which member, which values): their codes have an entry for any text.
var composed = map[string][]oauth.Code{"../registration/metadata.go": {"invalid_client_metadata", "invalid_redirect_uri"}}

// written is one error as a call site writes it.
type written struct{ code, text, at string }

// Whoever writes a new refusal writes in the table what the developer is to change; whoever takes one away clears the table.
func TestTableHasEveryErrorThatTheCodeMakes(t *testing.T) {
	sites, codes := collect(t)
	used := map[string]bool{}
	for _, s := range sites {
		code, known := codes[s.code]
		if !known && strings.Contains(s.code, "_") { // a literal
			code, known = s.code, true
		}
		if !known {
			t.Errorf("%s: unknown code %s", s.at, s.code)
			continue
		}
		e, ok := oauth.Lookup(oauth.Code(code), s.text)
		if !ok || e.Description != s.text && s.text != "" {
			t.Errorf("%s: %s: %q has no entry in oidc/oauth/table: write its cause and fix", s.at, code, s.text)
		}
		used[e.Anchor] = true
	}
	if len(sites) < 60 {
		t.Fatalf("only %d errors found: the search is broken", len(sites))
	}
	for file, any := range composed {
		for _, code := range any {
			if e, ok := oauth.Lookup(code, "any text"); !ok || e.Description != "" {
				t.Errorf("%s: %s needs an entry for any text", file, code)
			}
		}
	}
	for _, e := range oauth.Entries() {
		if !used[e.Anchor] && e.Description != "" {
			t.Errorf("%s: nothing makes %s: %q any more", e.Anchor, e.Code, e.Description)
		}
	}
}

func TestTableEntriesAreComplete(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9-]{3,40}$`)
	anchors, texts := map[string]bool{}, map[string]bool{}
	for _, e := range oauth.Entries() {
		if !form.MatchString(e.Anchor) || anchors[e.Anchor] || texts[string(e.Code)+e.Description] {
			t.Errorf("%s: %q: a malformed or repeated anchor, or a repeated text", e.Anchor, e.Description)
		}
		anchors[e.Anchor], texts[string(e.Code)+e.Description] = true, true
		for _, s := range []string{e.Cause.ZH, e.Cause.EN, e.Fix.ZH, e.Fix.EN} {
			if s == "" || !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "。") {
				t.Errorf("%s: cause and fix are sentences in both languages: %q", e.Anchor, s)
			}
		}
		if !strings.HasPrefix(e.Link(), "https://") {
			t.Errorf("%s: %q leads nowhere", e.Anchor, e.Spec)
		}
		if got, ok := oauth.ByAnchor(e.Anchor); !ok || got != e {
			t.Errorf("%s is not found by its anchor", e.Anchor)
		}
	}
}

// collect reads every error in the code of the module, and the constants of the codes.
func collect(t *testing.T) (sites []written, codes map[string]string) {
	t.Helper()
	codes = map[string]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			return err
		}
		inOauth := f.Name.Name == "oauth"
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && (makers[fn.Name.Name] != [2]int{} && (inOauth || fn.Name.Name == "refusal")) {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if code, text, ok := errorAt(n, inOauth); ok {
					at := fset.Position(n.Pos()).String()
					lit, isText := text.(*ast.BasicLit)
					if !isText || lit.Kind != token.STRING {
						if !inOauth && composed[filepath.ToSlash(file)] == nil { // there: server_error with its trace id
							t.Errorf("%s: the text of an error is fixed, and stands where the error is made", at)
						}
						return true
					}
					s, _ := strconv.Unquote(lit.Value)
					sites = append(sites, written{code: nameOf(code), text: s, at: at})
				}
				constant(n, codes)
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sites, codes
}

// errorAt finds code and text of an error that n makes.
func errorAt(n ast.Node, inOauth bool) (code, text ast.Expr, ok bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := nameOf(n.Fun)
		sel, qualified := n.Fun.(*ast.SelectorExpr)
		ours := name == "refusal" && !qualified || inOauth && !qualified || qualified && nameOf(sel.X) == "oauth"
		if at, maker := makers[name]; maker && ours && len(n.Args) > at[1] {
			return n.Args[at[0]], n.Args[at[1]], true
		}
	case *ast.CompositeLit:
		sel, qualified := n.Type.(*ast.SelectorExpr)
		if !(qualified && nameOf(sel.X) == "oauth" && sel.Sel.Name == "Error" || inOauth && !qualified && nameOf(n.Type) == "Error") {
			return nil, nil, false
		}
		for _, el := range n.Elts {
			if kv, isKV := el.(*ast.KeyValueExpr); isKV {
				switch nameOf(kv.Key) {
				case "Code":
					code = kv.Value
				case "Description":
					text = kv.Value
				}
			}
		}
		return code, text, code != nil && text != nil
	}
	return nil, nil, false
}

// nameOf is the last part of a name.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	}
	return ""
}

// constant keeps the value of a Code.
func constant(n ast.Node, codes map[string]string) {
	spec, ok := n.(*ast.ValueSpec)
	if !ok || nameOf(spec.Type) != "Code" || len(spec.Values) != 1 {
		return
	}
	if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
		codes[spec.Names[0].Name], _ = strconv.Unquote(lit.Value)
	}
}
