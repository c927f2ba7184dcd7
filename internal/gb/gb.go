// Package gb implements the identifiers of Chinese national standards: resident id numbers (GB 11643), organisation codes
// (GB 11714), unified social credit codes (GB 32100) and licence identifiers (GB/T 36904). Pure: values in, values out.
//
// Parse reads what people and forms deliver (full-width digits, lower case, spaces) into a canonical, checked value; Make
// builds a value and computes its check characters.
package gb

import (
	"errors"
	"strings"
	"unicode"
)

// ErrForm: not the form of the identifier (length, characters, date).
var ErrForm = errors.New("gb: malformed identifier")

// ErrCheck: the check character is wrong.
var ErrCheck = errors.New("gb: wrong check character")

// canonical folds full-width forms to ASCII, makes letters upper case and drops spaces and hyphens, which people type to
// group digits. Nothing else is dropped: a stray character makes the identifier malformed.
func canonical(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFEE0
		}
		if unicode.IsSpace(r) || r == '-' {
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
