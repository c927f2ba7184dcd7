package register

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Import registers records of a department, each in a transaction of its own: a faulty record is refused, the others are taken. A record that
// is there already is "unchanged"; the same number with other content is refused, with a line that says what differs, since
// a changed licence is a new version with an identifier of its own, which is a legal act and not a correction of a file.
func (s *Service) Import(ctx context.Context, d Department, records []ImportRecord) (ImportReport, error) {
	items := make([]ImportItem, len(records))
	for i, r := range records {
		items[i] = ImportItem{Line: i + 1, Record: r}
	}
	return s.ImportItems(ctx, d, items)
}

// ImportItems is Import for the result of ParseImport.
func (s *Service) ImportItems(ctx context.Context, d Department, items []ImportItem) (ImportReport, error) {
	report := ImportReport{Records: make([]ImportLine, 0, len(items))}
	for _, item := range items {
		line, err := s.importOne(ctx, d, item)
		if err != nil {
			return report, err
		}
		switch line.Result {
		case ResultCreated:
			report.Created++
		case ResultUnchanged:
			report.Unchanged++
		default:
			report.Refused++
		}
		report.Records = append(report.Records, line)
	}
	return report, nil
}

func refused(line ImportLine, errs ...FieldError) ImportLine {
	line.Result, line.LicenceID, line.Errors = ResultRefused, "", errs
	return line
}

func (s *Service) importOne(ctx context.Context, d Department, item ImportItem) (ImportLine, error) {
	t, l, line, err := s.check(ctx, d, item)
	if err != nil || line.Result == ResultRefused {
		return line, err
	}
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		line, err = s.put(ctx, d, t, l, line)
		return err
	})
	return line, err
}

// check turns an item into the licence that it describes, or refuses it.
func (s *Service) check(ctx context.Context, d Department, item ImportItem) (LicenceType, Licence, ImportLine, error) {
	line := ImportLine{Line: item.Line, RecordNumber: licencetype.Clip(item.Record.RecordNumber)}
	if len(item.Faults) > 0 {
		return LicenceType{}, Licence{}, refused(line, item.Faults...), nil
	}
	t, ok := s.Type(item.Record.Type)
	if !ok {
		return t, Licence{}, refused(line, FieldError{Field: "type", Code: licencetype.CodeUnknown, Message: "must be one of " + s.typeIDs()}), nil
	}
	may, err := s.cfg.MayIssue(ctx, d.Code, t.ID)
	if err != nil {
		return t, Licence{}, line, fmt.Errorf("register: asking what %s may issue: %w", d.Code, err)
	}
	if !may {
		return t, Licence{}, refused(line, FieldError{Field: "type", Code: "not_authorised", Message: "this authority may not issue " + t.ID}), nil
	}
	l, errs := validate(t, item.Record)
	if len(errs) > 0 {
		return t, l, refused(line, errs...), nil
	}
	l.Issuer = d.Code
	return t, l, line, nil
}

// put inserts a licence or compares it with the one that is there.
func (s *Service) put(ctx context.Context, d Department, t LicenceType, l Licence, line ImportLine) (ImportLine, error) {
	recordIndex := s.index("record", l.Issuer, l.TypeID, l.RecordNumber)
	// A second round only when another import of the same record won between our look and our insert.
	for range 3 {
		there, err := s.cfg.Store.GetByRecordIndex(ctx, l.Issuer, l.TypeID, recordIndex)
		if err == nil {
			return s.compare(there, l, line)
		}
		if !errors.Is(err, ErrNotFound) {
			return line, err
		}
		err = s.insert(ctx, d, t, &l)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return line, err
		}
		line.Result, line.LicenceID = ResultCreated, l.ID
		return line, nil
	}
	return line, ErrStale
}

func (s *Service) insert(ctx context.Context, d Department, t LicenceType, l *Licence) error {
	r, first, err := s.first(d, t, l)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.Insert(ctx, r, first); err != nil {
		return err
	}
	return s.cfg.Audit(ctx, audit.Event{Kind: "register.licence_imported", Actor: d.Code, Subject: l.ID, Client: d.ClientID,
		Detail: map[string]string{"type": t.ID}})
}

// first gives a new licence its identifier and returns its stored form with the first row of its journal.
func (s *Service) first(d Department, t LicenceType, l *Licence) (Record, Change, error) {
	now := s.cfg.Now()
	id, err := newLicenceID(t, l.Issuer, licencetype.DateOf(now))
	if err != nil {
		return Record{}, Change{}, err
	}
	l.ID, l.Status, l.Seq = id, StatusValid, 1
	l.CreatedAt, l.UpdatedAt, l.StatusSince = now, now, l.ValidFrom.Start()
	r, err := s.seal(*l)
	return r, Change{LicenceID: id, Seq: 1, Operation: "import", To: StatusValid, EffectiveAt: l.StatusSince, RecordedAt: now, Actor: d.ClientID}, err
}

// newLicenceID makes an identifier with a serial of the year and 16 random digits: a counter would tell everybody how many licences an
// authority grants, and be a row on which all imports wait.
func newLicenceID(t LicenceType, issuer string, today licencetype.Date) (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1e16))
	if err != nil {
		return "", fmt.Errorf("register: randomness: %w", err)
	}
	digits := strconv.FormatInt(n.Int64(), 10)
	serial := string(today[:4]) + strings.Repeat("0", 16-len(digits)) + digits
	id, err := gb.NewLicenceID(t.TypeCode, issuer, serial, 1)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	return id.String(), nil
}

func (s *Service) compare(there Record, l Licence, line ImportLine) (ImportLine, error) {
	old, err := s.open(there)
	if err != nil {
		return line, err
	}
	return compareWith(old, l, line), nil
}

// compareWith reports on a record that is there already.
func compareWith(old, l Licence, line ImportLine) ImportLine {
	if names := differences(old, l); len(names) > 0 {
		errs := make([]FieldError, 0, len(names))
		for _, n := range names {
			errs = append(errs, FieldError{Field: n, Code: licencetype.CodeChanged, Message: "differs from the registered record " + old.ID})
		}
		return refused(line, errs...)
	}
	line.Result, line.LicenceID = ResultUnchanged, old.ID
	return line
}

// differences names the members in which two licences differ, without their values: reports are kept in places that records may not be.
func differences(a, b Licence) []string {
	var out []string
	for _, m := range []struct{ name, a, b string }{
		{"holder.name", a.Holder.Name, b.Holder.Name}, {"holder.code", a.Holder.Code, b.Holder.Code},
		{"holder.code_type", a.Holder.CodeType, b.Holder.CodeType}, {"holder.reference", a.Holder.Reference, b.Holder.Reference},
		{"valid_from", string(a.ValidFrom), string(b.ValidFrom)}, {"valid_to", string(a.ValidTo), string(b.ValidTo)},
		{"holder.representative", representative(a), representative(b)},
	} {
		if m.a != m.b {
			out = append(out, m.name)
		}
	}
	for _, name := range fieldNames(a.Fields, b.Fields) {
		if !reflect.DeepEqual(a.Fields[name], b.Fields[name]) {
			out = append(out, "fields."+name)
		}
	}
	return out
}

// representative is all of a representative, to be compared.
func representative(l Licence) string {
	if l.Holder.Representative == nil {
		return ""
	}
	r := *l.Holder.Representative
	return r.CodeType + "\n" + r.Code + "\n" + r.Name
}
