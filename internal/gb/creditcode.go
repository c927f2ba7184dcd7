package gb

import (
	"fmt"
	"strings"
)

// OrganisationCode is a checked code of GB 11714: eight characters and a check character, nine in all.
type OrganisationCode string

// CreditCode is a unified social credit code (GB 32100-2015): registering department, kind, six digits of division,
// organisation code, check character.
type CreditCode string

var (
	creditWeights       = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} // 3^i mod 31
	organisationWeights = [8]int{3, 7, 9, 10, 5, 8, 4, 2}
)

// ParseCreditCode reads and checks a code. It wraps ErrForm or ErrCheck. Some early pilot codes are legal though their check
// character is wrong: where a person stands at a counter, treat ErrCheck as "ask the register", not as a refusal; the
// canonical code is returned together with ErrCheck for that.
func ParseCreditCode(s string) (CreditCode, error) {
	s = canonical(s)
	if len(s) != 18 {
		return "", fmt.Errorf("%w: credit code has 18 characters", ErrForm)
	}
	for i := range s {
		if strings.IndexByte(creditAlphabet, s[i]) < 0 {
			return "", fmt.Errorf("%w: credit code without I, O, S, V, Z", ErrForm)
		}
	}
	for i := 2; i < 8; i++ {
		if s[i] < '0' || s[i] > '9' {
			return "", fmt.Errorf("%w: credit code has a division of six digits", ErrForm)
		}
	}
	if creditCheck(s[:17]) != s[17] {
		return CreditCode(s), fmt.Errorf("%w: credit code", ErrCheck)
	}
	return CreditCode(s), nil
}

// MakeCreditCode builds a code from department and kind (two characters), division (six digits) and the eight characters
// of an organisation code; both check characters are computed.
func MakeCreditCode(kind, division, body string) (CreditCode, error) {
	org, err := MakeOrganisationCode(body)
	if err != nil {
		return "", err
	}
	s := kind + division + string(org)
	if len(kind) != 2 || len(division) != 6 {
		return "", fmt.Errorf("%w: kind of two characters, division of six digits", ErrForm)
	}
	for i := range s {
		if strings.IndexByte(creditAlphabet, s[i]) < 0 {
			return "", fmt.Errorf("%w: credit code without I, O, S, V, Z", ErrForm)
		}
	}
	return ParseCreditCode(s + string(creditCheck(s)))
}

// Organisation returns the organisation code inside; it is not checked, since some kinds of body have none.
func (c CreditCode) Organisation() string { return string(c[8:17]) }

// Division returns the six digits of the division.
func (c CreditCode) Division() string { return string(c[2:8]) }

func creditCheck(s string) byte {
	sum := 0
	for i, w := range creditWeights {
		sum += strings.IndexByte(creditAlphabet, s[i]) * w
	}
	return creditAlphabet[(31-sum%31)%31]
}

// ParseOrganisationCode reads and checks a code, with or without the hyphen before the check character.
func ParseOrganisationCode(s string) (OrganisationCode, error) {
	s = canonical(s)
	if len(s) != 9 {
		return "", fmt.Errorf("%w: organisation code has 9 characters", ErrForm)
	}
	made, err := MakeOrganisationCode(s[:8])
	if err != nil {
		return "", err
	}
	if string(made) != s {
		return "", fmt.Errorf("%w: organisation code", ErrCheck)
	}
	return made, nil
}

// MakeOrganisationCode adds the check character to eight characters of 0-9 and A-Z.
func MakeOrganisationCode(body string) (OrganisationCode, error) {
	if len(body) != 8 {
		return "", fmt.Errorf("%w: organisation code has 8 characters and a check character", ErrForm)
	}
	sum := 0
	for i, w := range organisationWeights {
		switch c := body[i]; {
		case c >= '0' && c <= '9':
			sum += int(c-'0') * w
		case c >= 'A' && c <= 'Z':
			sum += int(c-'A'+10) * w
		default:
			return "", fmt.Errorf("%w: organisation code of digits and capital letters", ErrForm)
		}
	}
	const checks = "0X987654321" // 11 - sum mod 11; 10 is X, 11 is 0
	return OrganisationCode(body + string(checks[sum%11])), nil
}
