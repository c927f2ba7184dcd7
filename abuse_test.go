package hufu_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The abuse cases by their stable ids. Each must stand in the name of a test or subtest, or in a string or comment of one, so that a test that is removed is
// missed. Of the groups of the OpenID Provider (A to H, N, W, X) these are all rows but those of absentCases; of the others the P0 rows of what exists. Left out
// there because the thing doesn't exist yet: P09, P10 (deferred, encryption), Q11, Q13, Q14 (OpenID4VP), Q16 (mdoc), S02 (timestamps), S06, S07, S08, S10 (PDF, OFD).
var abuseCases = strings.Fields(`
	A01 A02 A04 A05 A06 A07 A08 A09 A10 A12 A13 A14 A16
	B01 B02 B03 B04 B05 B06 B07 B09 B11 B12
	C01 C02 C03 C04 C06 C07 C08
	D01 D02 D03 D04 D05 D06 D08 D09 D11 D12 D13 D14
	E01 E02 E03 E04 E06
	F01 F02 F03 F05 F07
	G01 G02 G03 G04 G06 G07 G09 G10 G11 G12
	H01 H02 H03 H05 H06
	I01 I02 I03 I04 I05 I07 I10 I12 I13
	N01 N02 N03 N04 N05 N08 N09 N10 N11 N12
	P01 P02 P03 P04 P05 P06 P08 P11 P12 P13 P15
	Q01 Q02 Q03 Q04 Q05 Q07 Q08 Q09 Q10 Q12 Q17
	R01 R02 R03 R04 R06 R07 R08 R09
	S01 S04 S12 S14
	T01 T02 T03 T05 T06 T07 T08 T09 T10
	U05
	W01 W02 W03 W04 W05 W06 W07 W08
	X01 X02 X03 X05 X06`)

// absentCases are the rows of the provider's groups that nothing here could fail, and why.
var absentCases = map[string]string{
	"F06": "no SAML: there is no metadata of that kind to read",
	"G13": "credentials are typed at the provinces; that a login finishes only in the browser that began it is G02 and I04",
	"H04": "no SAML: there is no LogoutRequest of that kind",
	"W10": "HTTP/2 frames are net/http's matter; its release is in go.mod, and no code of ours sees them",
	"W11": "no endpoint of the provider pages or searches; lists of the other rooms go by cursor",
	"W12": "Go's maps are seeded, its regular expressions linear; there are no hash tables of our own",
	"W13": "nobody has a password: secrets of clients are 256 random bits and cost one SHA-256 to compare",
}

func TestEveryAbuseCaseHasATest(t *testing.T) {
	found := map[string]string{}
	id := regexp.MustCompile(`[A-Z][0-9]{2}`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") || path == "abuse_test.go" {
			return nil
		}
		for _, text := range said(t, path) {
			for _, m := range id.FindAllString(text, -1) {
				found[m] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range abuseCases {
		if found[c] == "" {
			t.Errorf("no test names the abuse case %s", c)
		}
		if absentCases[c] != "" {
			t.Errorf("%s is a case and absent", c)
		}
	}
	for c, why := range absentCases {
		if found[c] != "" || why == "" {
			t.Errorf("%s is absent, because %q, and tested in %s", c, why, found[c])
		}
	}
}

// said are the names of the functions, the strings and the comments of a test file; identifiers and numbers of its code don't count.
func said(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			out = append(out, n.Name.Name)
		case *ast.BasicLit:
			// Only what could be the name of a case: data that looks like one doesn't count.
			if n.Kind == token.STRING && caseName.MatchString(n.Value) {
				out = append(out, n.Value)
			}
		}
		return true
	})
	for _, c := range f.Comments {
		out = append(out, c.Text())
	}
	return out
}

// caseName is a string with an id as a word of its own: "D13 wrong htm".
var caseName = regexp.MustCompile(`(^|[^0-9A-Za-z])[A-Z][0-9]{2}([^0-9A-Za-z]|$)`)
