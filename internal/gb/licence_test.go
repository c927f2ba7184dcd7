package gb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/gb"
)

// Identifiers found in public code, and the sandbox's own.
var licenceSamples = []string{
	"1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
	"1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
	"1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
	"1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
	"1.2.156.3005.2.1199000000TRY00383001.1199440000TRY0011H.20260000000000000001.001.H",
}

func TestParseLicenceIDAcceptsPublicSamples(t *testing.T) { // GB/T 36904
	for _, s := range licenceSamples {
		id, err := gb.ParseLicenceID(s)
		if err != nil || id.String() != s {
			t.Errorf("%s: %v, %v", s, id, err)
		}
	}
}

func TestParseLicenceIDIsLenientOnReading(t *testing.T) {
	want := licenceSamples[4]
	for name, s := range map[string]string{
		"blanks": "  " + want + "\n", "small letters": strings.ToLower(want), "without root": strings.TrimPrefix(want, gb.LicenceRoot+"."),
		"full-width": strings.NewReplacer("T", "Ｔ", "1", "１", ".", "．").Replace(want),
	} {
		id, err := gb.ParseLicenceID(s)
		if err != nil || id.String() != want {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
}

func TestParseLicenceIDRefusesWrongCheckCharacter(t *testing.T) {
	for _, s := range licenceSamples {
		wrong := s[:len(s)-1] + string("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", s[len(s)-1])+1)%36])
		id, err := gb.ParseLicenceID(wrong)
		if !errors.Is(err, gb.ErrLicenceCheck) || id.Serial == "" {
			t.Errorf("%s: %v, %v", wrong, id, err)
		}
	}
	// A serial with neighbours swapped is what the check character is for.
	if _, err := gb.ParseLicenceID(strings.Replace(licenceSamples[0], "2430599", "4230599", 1)); !errors.Is(err, gb.ErrLicenceCheck) {
		t.Errorf("swapped digits: %v", err)
	}
}

func TestParseLicenceIDRefusesOtherForms(t *testing.T) {
	good := licenceSamples[4]
	for _, s := range []string{"", ".", "1.2.156.3005.2", good + ".X", strings.Replace(good, "001.H", "01.H", 1), strings.Replace(good, ".001.", "..", 1),
		strings.Replace(good, "1199440000TRY0011H", "11994/0000TRY0011H", 1), strings.Replace(good, "20260000000000000001", strings.Repeat("1", 33), 1),
		strings.Repeat("1.", 400)} {
		if _, err := gb.ParseLicenceID(s); !errors.Is(err, gb.ErrLicenceForm) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestNewLicenceIDEmitsOnlyTheStrictForm(t *testing.T) {
	const typeCode, issuer, serial = "1199000000TRY00383001", "1199440000TRY0011H", "20260000000000000001"
	id, err := gb.NewLicenceID(typeCode, issuer, serial, 1)
	if err != nil || id.String() != licenceSamples[4] || id.VersionNumber() != 1 {
		t.Fatalf("%v, %v", id, err)
	}
	for name, f := range map[string]func() (gb.LicenceID, error){
		"issuer is a division":     func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, "340100", serial, 1) },
		"issuer with O":            func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, "1199440000TRYO011H", serial, 1) },
		"small letter":             func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, issuer, "2026a", 1) },
		"no serial":                func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, issuer, "", 1) },
		"version 0":                func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, issuer, serial, 0) },
		"version 1000":             func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode, issuer, serial, 1000) },
		"type without its number":  func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode[:18], issuer, serial, 1) },
		"type number with letters": func() (gb.LicenceID, error) { return gb.NewLicenceID(typeCode[:18]+"00A", issuer, serial, 1) },
	} {
		if id, err := f(); !errors.Is(err, gb.ErrLicenceForm) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
}

// Whatever is accepted has one written form, which is accepted again and means the same.
func FuzzParseLicenceID(f *testing.F) {
	for _, s := range licenceSamples {
		f.Add(s)
	}
	f.Add("1.2.156.3005.2.11100000000013661B006.113700000045046442.209FA4E8.001.M")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := gb.ParseLicenceID(s)
		if err != nil {
			return
		}
		again, err := gb.ParseLicenceID(id.String())
		if err != nil || again != id {
			t.Fatalf("%q -> %v -> %v, %v", s, id, again, err)
		}
	})
}
