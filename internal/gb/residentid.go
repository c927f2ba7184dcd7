package gb

import (
	"fmt"
	"time"
)

// ResidentID is a checked resident id number (GB 11643-1999): six digits of the place of first registration, eight of the
// birth date, three of sequence, one check character. It is personal data: never log it, never put it into a URL.
type ResidentID string

const residentChecks = "10X98765432"

var residentWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// ParseResidentID reads and checks a number. It wraps ErrForm or ErrCheck. Area codes are not looked up: old ones remain
// valid after a division is dissolved.
func ParseResidentID(s string) (ResidentID, error) {
	s = canonical(s)
	if len(s) != 18 {
		return "", fmt.Errorf("%w: resident id has 18 characters", ErrForm)
	}
	for i := range 17 {
		if s[i] < '0' || s[i] > '9' {
			return "", fmt.Errorf("%w: resident id has digits in front of its check character", ErrForm)
		}
	}
	if _, err := time.Parse("20060102", s[6:14]); err != nil {
		return "", fmt.Errorf("%w: resident id without a birth date", ErrForm)
	}
	if s[17] != residentCheck(s[:17]) {
		return "", fmt.Errorf("%w: resident id", ErrCheck)
	}
	return ResidentID(s), nil
}

// MakeResidentID builds a number from a six-digit area, a birth date and a sequence of 0 to 999 (odd is male).
func MakeResidentID(area string, birth time.Time, sequence int) (ResidentID, error) {
	if len(area) != 6 || sequence < 0 || sequence > 999 {
		return "", fmt.Errorf("%w: area of six digits and sequence of three", ErrForm)
	}
	s := area + birth.Format("20060102") + fmt.Sprintf("%03d", sequence)
	for i := range 6 {
		if s[i] < '0' || s[i] > '9' {
			return "", fmt.Errorf("%w: area of six digits", ErrForm)
		}
	}
	if len(s) != 17 {
		return "", fmt.Errorf("%w: birth date", ErrForm)
	}
	return ResidentID(s + string(residentCheck(s))), nil
}

func residentCheck(digits string) byte {
	sum := 0
	for i, w := range residentWeights {
		sum += int(digits[i]-'0') * w
	}
	return residentChecks[sum%11]
}

// Birthdate returns the date in the number as YYYY-MM-DD.
func (r ResidentID) Birthdate() string { return string(r[6:10] + "-" + r[10:12] + "-" + r[12:14]) }

// Female tells whether the sequence is even.
func (r ResidentID) Female() bool { return (r[16]-'0')%2 == 0 }

// Masked shows the first four and the last two characters: 9944************2X's shape, for pages.
func (r ResidentID) Masked() string { return string(r[:4]) + "************" + string(r[16:]) }
