package register_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
)

// PostgreSQL refuses NUL and broken UTF-8 in TEXT: in an identifier they are bad input and never a fault of ours.
func TestTextThatNoDatabaseKeepsIsRefusedAndNoFault(t *testing.T) {
	each(t, func(t *testing.T, _ *sqlstore.DB, s *register.Service) {
		id := imported(t, s, "r1")
		base := serve(t, s).URL + "/register/v1/licences"
		for _, c := range []struct {
			method, path string
			good         string
			want         int // for bad text; 200 for the good one
		}{
			{http.MethodGet, "/", id, 404},
			{http.MethodGet, "?type=", "driving-licence", 400},
			{http.MethodGet, "?after=", "0", 400},
			{http.MethodGet, "?reference=", "li-xiuying", 200},
		} {
			if a := call(t, c.method, base+c.path+c.good, "police", ""); a.code != 200 || !strings.Contains(string(a.body), id) {
				t.Errorf("good %s: %d %s", c.path, a.code, a.body)
			}
			for _, bad := range []string{"%00", "a%00", "%FF", "%ED%A0%80", "%C0%80"} {
				if a := call(t, c.method, base+c.path+bad, "police", ""); a.code != c.want || strings.Contains(string(a.body), id) {
					t.Errorf("%s%s: %d %s, want %d", c.path, bad, a.code, a.body, c.want)
				}
			}
		}
		const act = `{"operation":"withhold","reason":"案件审查"}`
		for _, bad := range []string{"%00", "%FF", id + "%00"} {
			if a := call(t, http.MethodPost, base+"/"+bad+"/status", "police", act); a.code != 404 {
				t.Errorf("%s/status: %d %s", bad, a.code, a.body)
			}
		}
		if _, err := s.Hold(t.Context(), id+"\x00"); !errors.Is(err, register.ErrNotFound) {
			t.Errorf("hold: %v", err)
		}
		if a := call(t, http.MethodPost, base+"/"+id+"/status", "police", act); a.code != 200 {
			t.Errorf("good status: %d %s", a.code, a.body)
		}
	})
}

// A file of tiny records is refused before each of them costs memory.
func TestTooManyRecordsAreRefusedEarly(t *testing.T) {
	for name, file := range map[string]func(n int) string{
		"array": func(n int) string { return "[" + strings.Repeat("0,", n-1) + "0]" },
		"lines": func(n int) string { return strings.Repeat("0\n", n) },
	} {
		if items, err := register.ParseImport([]byte(file(register.MaxImportRecords))); err != nil || len(items) != register.MaxImportRecords {
			t.Errorf("%s: %d items, %v", name, len(items), err)
		}
		if _, err := register.ParseImport([]byte(file(register.MaxImportRecords + 1))); !errors.Is(err, register.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Reading element by element must not accept what is no array.
func TestArrayOfRecordsIsOneJSONValue(t *testing.T) {
	if items, err := register.ParseImport([]byte(" [ {} , {} ] ")); err != nil || len(items) != 2 {
		t.Errorf("twin: %d items, %v", len(items), err)
	}
	for _, text := range []string{"[", "[{}", "[{},", "[{},]", "[{} {}]", "[{}]x", "[{}][{}]", "[{}],", "[}", "[{]", "[{}}", "[{\"a\":1]", "[,]"} {
		if items, err := register.ParseImport([]byte(text)); !errors.Is(err, register.ErrInvalid) {
			t.Errorf("%s: %d items, %v", text, len(items), err)
		}
	}
}
