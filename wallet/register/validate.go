package register

import (
	"errors"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// validate checks a record against its type and returns the licence it describes, without identifier and state.
func validate(t LicenceType, r ImportRecord) (Licence, []FieldError) {
	var f licencetype.Faults
	l := Licence{TypeID: t.ID, TypeVersion: t.Version, RecordNumber: r.RecordNumber, Holder: r.Holder}
	f.Text("record_number", r.RecordNumber, true, 64)
	checkHolder(&f, t, &l.Holder)
	l.ValidFrom = f.Date("valid_from", r.ValidFrom, true)
	l.ValidTo = f.Date("valid_to", r.ValidTo, false)
	if l.ValidTo != "" && l.ValidTo < l.ValidFrom {
		f.Add("valid_to", licencetype.CodeOrder, "is before valid_from (%s)", l.ValidFrom)
	}
	l.Fields = f.Fields(t, r.Fields)
	return l, f
}

// checkHolder also brings document numbers into their one form.
func checkHolder(f *licencetype.Faults, t LicenceType, h *Holder) {
	f.Text("holder.name", h.Name, true, 100)
	f.Text("holder.reference", h.Reference, false, 64)
	h.Code = checkCode(f, "holder.", h.CodeType, h.Code, t.HolderCodes)
	switch {
	case h.Representative == nil && t.Representative == "required":
		f.Add("holder.representative", licencetype.CodeMissing, "is required: who acts for the holder")
	case h.Representative == nil:
	case t.Representative == "":
		f.Add("holder.representative", licencetype.CodeUnknown, "a holder of a %s has none", t.ID)
	default:
		r := *h.Representative // the caller's stays as it came
		f.Text("holder.representative.name", r.Name, true, 100)
		r.Code = checkCode(f, "holder.representative.", r.CodeType, r.Code, licencetype.PersonCodes)
		h.Representative = &r
	}
}

// checkCode checks the number of a document and returns it in its one form.
func checkCode(f *licencetype.Faults, prefix, kind, code string, kinds []string) string {
	switch {
	case !slices.Contains(kinds, kind):
		f.Add(prefix+"code_type", licencetype.CodeFormat, "must be one of %s", strings.Join(kinds, ", "))
	case kind == "111":
		id, err := gb.ParseResidentID(code)
		switch {
		case errors.Is(err, gb.ErrCheck):
			f.Add(prefix+"code", licencetype.CodeCheck, "the check character of the resident identity number is wrong")
		case err != nil:
			f.Add(prefix+"code", licencetype.CodeFormat, "is not a resident identity number of 18 characters")
		default:
			return string(id)
		}
	case kind == "001":
		// A wrong check character is let through: codes of early pilot regions have one and are in force.
		id, err := gb.ParseCreditCode(code)
		if err != nil && !errors.Is(err, gb.ErrCheck) {
			f.Add(prefix+"code", licencetype.CodeFormat, "is not a unified social credit code of 18 characters")
			return code
		}
		return string(id)
	default:
		f.Text(prefix+"code", code, true, 32)
	}
	return code
}
