package gb

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The samples of the people and organisations of the sandbox, and public ones.
var residentSamples = []string{"11010519491231002X", "99440119490312002X", "993301197806151171", "993101199508083316",
	"995101200302202188", "99650119880930424X", "995401198201175199", "991101201106016266", "996101197005057283"}

var creditSamples = []string{"11100000000013338W", "11100000MB03271699", "11220000013544541J", "91350200776049653A",
	"91994401MA5TRY010A", "91993301MA2TRY023G", "1199440000TRY0011H", "1199440000TRY002X9", "1199000000TRY00383"}

func TestParseResidentIDAcceptsSamples(t *testing.T) {
	for _, s := range residentSamples {
		r, err := ParseResidentID(s)
		if err != nil || string(r) != s {
			t.Errorf("%s: %v", s, err)
			continue
		}
		born, _ := time.Parse("2006-01-02", r.Birthdate())
		seq := int(s[14]-'0')*100 + int(s[15]-'0')*10 + int(s[16]-'0')
		if made, err := MakeResidentID(s[:6], born, seq); err != nil || made != r {
			t.Errorf("made %s, want %s (%v)", made, r, err)
		}
	}
}

func TestParseResidentIDAcceptsWhatPeopleType(t *testing.T) {
	for _, s := range []string{"99440119490312002x", " 994401 19490312 002X ", "９９４４０１１９４９０３１２００２Ｘ"} {
		if r, err := ParseResidentID(s); err != nil || r != "99440119490312002X" {
			t.Errorf("%q: %q %v", s, r, err)
		}
	}
}

func TestParseResidentIDRefuses(t *testing.T) {
	for s, want := range map[string]error{
		"994401194903120021":  ErrCheck, // X made 1
		"99440119490312003X":  ErrCheck,
		"99440119491312002X":  ErrForm, // month 13
		"99440119490230002X":  ErrForm, // 30 February
		"9944011949031200X2":  ErrForm,
		"99440119490312002":   ErrForm,
		"99440119490312002XX": ErrForm,
		"":                    ErrForm,
		"99440119490312002Ⅹ":  ErrForm, // Roman numeral ten
	} {
		if _, err := ParseResidentID(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
}

func TestResidentIDReading(t *testing.T) {
	r := ResidentID("99440119490312002X")
	if r.Birthdate() != "1949-03-12" || !r.Female() || r.Masked() != "9944************2X" {
		t.Errorf("%s %v %s", r.Birthdate(), r.Female(), r.Masked())
	}
	if ResidentID("993301197806151171").Female() {
		t.Error("odd sequence read as female")
	}
}

func TestParseCreditCodeAcceptsSamples(t *testing.T) {
	for _, s := range creditSamples {
		c, err := ParseCreditCode(strings.ToLower(s))
		if err != nil || string(c) != s {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if made, err := MakeCreditCode(s[:2], s[2:8], s[8:16]); err == nil && made != c {
			t.Errorf("made %s, want %s", made, c)
		}
	}
}

func TestCreditCodesOfSampleWorldHoldAnOrganisationCode(t *testing.T) {
	for _, s := range creditSamples {
		if _, err := ParseOrganisationCode(CreditCode(s).Organisation()); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestParseCreditCodeRefuses(t *testing.T) {
	if c, err := ParseCreditCode("91350100M0001TGQXM"); !errors.Is(err, ErrCheck) || c == "" {
		t.Errorf("pilot code: %q %v: the code must come with the error", c, err)
	}
	for s, want := range map[string]error{
		"1199440000TRY0011J": ErrCheck,
		"1199440000TRYO011H": ErrForm, // letter O
		"11994A0000TRY0011H": ErrForm,
		"1199440000TRY0011":  ErrForm,
		"":                   ErrForm,
	} {
		if _, err := ParseCreditCode(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
}

func TestEveryChangedCharacterIsNoticed(t *testing.T) {
	for i := range 18 {
		for _, d := range "0123456789X" {
			s := []byte("99440119490312002X")
			if s[i] == byte(d) {
				continue
			}
			s[i] = byte(d)
			if _, err := ParseResidentID(string(s)); err == nil {
				t.Errorf("accepted %s", s)
			}
		}
		for _, d := range creditAlphabet {
			s := []byte("1199440000TRY0011H")
			if s[i] == byte(d) {
				continue
			}
			s[i] = byte(d)
			if _, err := ParseCreditCode(string(s)); err == nil {
				t.Errorf("accepted %s", s)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(append([]string{}, residentSamples...), creditSamples...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseResidentID(s); err == nil {
			if again, err := ParseResidentID(string(r)); err != nil || again != r {
				t.Errorf("%q is not stable", r)
			}
		}
		if c, err := ParseCreditCode(s); err == nil {
			if again, err := ParseCreditCode(string(c)); err != nil || again != c {
				t.Errorf("%q is not stable", c)
			}
		}
	})
}
