package gb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LicenceRoot is the object identifier arc that every e-licence identifier starts with. GB/T 36904-2018.
const LicenceRoot = "1.2.156.3005.2"

// Why a licence identifier was refused. ErrLicenceCheck alone leaves the parts readable: the text has the right shape, but was
// mistyped or made by a faulty generator.
var (
	ErrLicenceForm  = errors.New("gb: not an e-licence identifier")
	ErrLicenceCheck = errors.New("gb: the e-licence identifier's check character is wrong")
)

const alphabet36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// creditAlphabet is the 31 characters of a unified social credit code: no I, O, S, V, Z. GB 32100-2015.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// LicenceID is an e-licence identifier (证照标识) in its parts. GB/T 36904-2018. The zero value is not an identifier: make one
// with NewLicenceID, which emits only the strict form, or read one with ParseLicenceID.
type LicenceID struct {
	// TypeCode is the credit code of the body that defines the type, and a three-digit number: 21 characters.
	TypeCode string
	// Issuer is the credit code of the issuing authority. Some issuers in the field put a division code or another number here.
	Issuer string
	// Serial is 1 to 32 digits and capital letters.
	Serial string
	// Version is three digits, counted from 001.
	Version string
}

// NewLicenceID makes an identifier in the strict form, and refuses parts that the standard doesn't allow (ErrLicenceForm), also
// where ParseLicenceID would put up with them.
func NewLicenceID(typeCode, issuer, serial string, version int) (LicenceID, error) {
	id := LicenceID{TypeCode: typeCode, Issuer: issuer, Serial: serial, Version: fmt.Sprintf("%03d", version)}
	if version < 1 || version > 999 {
		return LicenceID{}, fmt.Errorf("%w: version %d is not 1 to 999", ErrLicenceForm, version)
	}
	if err := id.Strict(); err != nil {
		return LicenceID{}, err
	}
	return id, nil
}

// Strict says whether the identifier has the form that we emit: both authorities by credit codes of 18 characters of the right
// alphabet. The credit codes' own check characters are not judged: codes with a wrong one were given out and are in force.
func (id LicenceID) Strict() error {
	switch {
	case len(id.TypeCode) != 21 || !only(id.TypeCode[:18], creditAlphabet) || !only(id.TypeCode[18:], alphabet36[:10]):
		return fmt.Errorf("%w: the type code is not a credit code and three digits", ErrLicenceForm)
	case len(id.Issuer) != 18 || !only(id.Issuer, creditAlphabet):
		return fmt.Errorf("%w: the issuer is not a credit code", ErrLicenceForm)
	case len(id.Serial) < 1 || len(id.Serial) > 32 || !only(id.Serial, alphabet36):
		return fmt.Errorf("%w: the serial is not 1 to 32 digits and capital letters", ErrLicenceForm)
	case len(id.Version) != 3 || !only(id.Version, alphabet36[:10]) || id.Version == "000":
		return fmt.Errorf("%w: the version is not 001 to 999", ErrLicenceForm)
	}
	return nil
}

// Check computes the check character: ISO 7064 MOD 37,36 (GB/T 17710) over type code, issuer, serial and version, without dots and
// without the root.
func (id LicenceID) Check() byte {
	return mod3736(id.TypeCode + id.Issuer + id.Serial + id.Version)
}

// String is the whole identifier with root and check character.
func (id LicenceID) String() string {
	return strings.Join([]string{LicenceRoot, id.TypeCode, id.Issuer, id.Serial, id.Version, string(id.Check())}, ".")
}

// VersionNumber is Version as a number.
func (id LicenceID) VersionNumber() int {
	n, _ := strconv.Atoi(id.Version)
	return n
}

// ParseLicenceID reads an identifier as it is found in the field: blanks, hyphens, small letters, full-width characters and a
// missing root are put up with, and so are issuers that are not credit codes. The check character must be right: for a wrong
// one it returns the parts together with ErrLicenceCheck, for anything else ErrLicenceForm.
func ParseLicenceID(s string) (LicenceID, error) {
	if len(s) > 512 { // longer than any form of 85 characters can be
		return LicenceID{}, ErrLicenceForm
	}
	text := strings.TrimPrefix(canonical(s), LicenceRoot+".")
	parts := strings.Split(text, ".")
	if len(parts) != 5 {
		return LicenceID{}, fmt.Errorf("%w: it has %d parts after the root, not 5", ErrLicenceForm, len(parts))
	}
	id := LicenceID{TypeCode: parts[0], Issuer: parts[1], Serial: parts[2], Version: parts[3]}
	check := parts[4]
	for _, p := range parts {
		if p == "" || !only(p, alphabet36) {
			return LicenceID{}, fmt.Errorf("%w: a part is empty or holds other than digits and letters", ErrLicenceForm)
		}
	}
	if len(id.TypeCode) != 21 || len(id.Issuer) < 6 || len(id.Issuer) > 18 || len(id.Serial) > 32 ||
		len(id.Version) != 3 || !only(id.Version, alphabet36[:10]) || len(check) != 1 {
		return LicenceID{}, fmt.Errorf("%w: a part has the wrong length", ErrLicenceForm)
	}
	if check[0] != id.Check() {
		return id, fmt.Errorf("%w: it says %s, computed is %c", ErrLicenceCheck, check, id.Check())
	}
	return id, nil
}

// mod3736 is the hybrid system MOD 37,36 of ISO 7064 for text of 0-9 and A-Z. Other characters count as 0; callers keep them out.
func mod3736(s string) byte {
	p := 36
	for i := range len(s) {
		v := max(strings.IndexByte(alphabet36, s[i]), 0)
		sum := (p + v) % 36
		if sum == 0 {
			sum = 36
		}
		p = sum * 2 % 37
	}
	return alphabet36[(37-p)%36]
}

func only(s, alphabet string) bool {
	return strings.Trim(s, alphabet) == ""
}
