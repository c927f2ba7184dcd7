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

// checkHolder also brings the document number into its one form.
func checkHolder(f *licencetype.Faults, t LicenceType, h *Holder) {
	f.Text("holder.name", h.Name, true, 100)
	f.Text("holder.reference", h.Reference, false, 64)
	switch {
	case !slices.Contains(t.HolderCodes, h.CodeType):
		f.Add("holder.code_type", licencetype.CodeFormat, "must be one of %s", strings.Join(t.HolderCodes, ", "))
	case h.CodeType == "111":
		id, err := gb.ParseResidentID(h.Code)
		switch {
		case errors.Is(err, gb.ErrCheck):
			f.Add("holder.code", licencetype.CodeCheck, "the check character of the resident identity number is wrong")
		case err != nil:
			f.Add("holder.code", licencetype.CodeFormat, "is not a resident identity number of 18 characters")
		default:
			h.Code = string(id)
		}
	default:
		f.Text("holder.code", h.Code, true, 32)
	}
}
