package register

import (
	"context"
	"fmt"
)

// Batch is a number of records of one department, checked and sealed, ready to be put in by one transaction.
type Batch struct {
	department Department
	lines      []ImportLine
	entries    []entry // one for each line that isn't refused, in order
}

// entry is a licence that is not there yet, as far as we know.
type entry struct {
	line    int // its place in lines
	licence Licence
	record  Record
	first   Change
}

// Prepare checks records and does all of the work on them that needs no transaction. A batch is one attempt: prepare anew to put it in again.
func (s *Service) Prepare(ctx context.Context, d Department, items []ImportItem) (Batch, error) {
	b := Batch{department: d, lines: make([]ImportLine, 0, len(items)), entries: make([]entry, 0, len(items))}
	for i, item := range items {
		t, l, line, err := s.check(ctx, d, item)
		if err != nil {
			return b, err
		}
		b.lines = append(b.lines, line)
		if line.Result == ResultRefused {
			continue
		}
		e := entry{line: i, licence: l}
		if e.record, e.first, err = s.first(d, t, &e.licence); err != nil {
			return b, err
		}
		b.entries = append(b.entries, e)
	}
	return b, nil
}

// Put registers a batch in the transaction in ctx and returns a line for each record, as ImportItems does; but it writes no audit event for each
// licence: whoever runs the job writes one for the batch. After an error the transaction must be rolled back.
func (s *Service) Put(ctx context.Context, b Batch) ([]ImportLine, error) {
	there, err := s.there(ctx, b)
	if err != nil {
		return nil, err
	}
	var records []Record
	var journal []Change
	fresh := map[string]entry{} // of this batch, by record index: a number may be there twice
	for _, e := range b.entries {
		if _, twice := fresh[e.record.RecordIndex]; twice || there[e.record.RecordIndex].ID != "" {
			continue
		}
		fresh[e.record.RecordIndex] = e
		records, journal = append(records, e.record), append(journal, e.first)
	}
	n, err := s.cfg.Store.InsertMany(ctx, records, journal)
	if err != nil {
		return nil, err
	}
	if n < len(records) {
		// Somebody else put in one of them after we looked: the whole step is taken again.
		return nil, ErrStale
	}
	return b.lines, s.report(b, there, fresh)
}

// report fills the lines of what wasn't refused before.
func (s *Service) report(b Batch, there map[string]Record, fresh map[string]entry) error {
	for _, e := range b.entries {
		line := &b.lines[e.line]
		old, known := there[e.record.RecordIndex]
		made := fresh[e.record.RecordIndex]
		switch {
		case known:
			compared, err := s.compare(old, e.licence, *line)
			if err != nil {
				return err
			}
			*line = compared
		case made.line == e.line:
			line.Result, line.LicenceID = ResultCreated, e.licence.ID
		default: // the same number again, further down in the batch
			*line = compareWith(made.licence, e.licence, *line)
		}
	}
	return nil
}

// there returns the records of the batch that are registered already, by record index.
func (s *Service) there(ctx context.Context, b Batch) (map[string]Record, error) {
	byType := map[string][]string{}
	for _, e := range b.entries {
		byType[e.record.TypeID] = append(byType[e.record.TypeID], e.record.RecordIndex)
	}
	out := map[string]Record{}
	for typeID, indexes := range byType {
		found, err := s.cfg.Store.GetByRecordIndexes(ctx, b.department.Code, typeID, indexes)
		if err != nil {
			return nil, fmt.Errorf("register: looking for a batch: %w", err)
		}
		for _, r := range found {
			out[r.RecordIndex] = r
		}
	}
	return out, nil
}
