package hufu_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The P0 abuse cases of what exists, by their stable ids. Each must stand in the name of a test or subtest (or beside it), so that a test that is removed is missed.
// Left out because the thing doesn't exist yet: A10, A13, A14 (request objects, PAR), P09, P10 (deferred, encryption), G06 (mail links), Q11, Q13, Q14
// (OpenID4VP), Q16 (mdoc), S02 (timestamps), S06, S07, S08, S10 (PDF, OFD).
var abuseCases = strings.Fields(`
	A01 A02 A05 A06 A08 A09 A12
	B01 B02 B03 B04 B05 B06 B07
	D01 D02 D03 D04 D06 D11
	E01 E02 E03 E04
	D08 D09 F01 F02 F03 F05 F07
	G01 G02 G03 G04 G07 G10 G11
	H01 H02 H03 H05 H06
	I01 I02 I03 I04 I05 I07 I10 I12 I13
	N03 N04 N05 N08 N09 N10
	P01 P02 P03 P04 P05 P06 P08 P12 P13 P15
	Q01 Q02 Q03 Q04 Q05 Q07 Q08 Q09 Q10 Q12 Q17
	R01 R02 R03 R04 R06 R07 R08 R09
	S01 S04 S12 S14
	T01 T02 T03 T05 T06 T07
	U05
	X01 X02 X03`)

func TestEveryAbuseCaseHasATest(t *testing.T) {
	found := map[string]bool{}
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
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range id.FindAllString(string(text), -1) {
			found[m] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range abuseCases {
		if !found[c] {
			t.Errorf("no test names the abuse case %s", c)
		}
	}
}
