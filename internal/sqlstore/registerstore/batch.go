package registerstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
)

// width is how many columns a licence has, journalWidth a row of the journal.
const (
	width        = 19
	journalWidth = 9
)

// rowsAtOnce is how many rows go into one statement. SQLite looks each named parameter up among all before it: a few thousand at once cost more than
// the rows themselves.
const rowsAtOnce = 25

// values appends the columns of a record.
func values(args []any, r register.Record) []any {
	return append(args, r.ID, r.TypeID, r.TypeVersion, r.Issuer, r.RecordIndex, r.HolderIndex, r.ReferenceIndex, r.RepresentativeIndex, r.Sealed,
		string(r.ValidFrom), string(r.ValidTo), r.Predecessor, r.Successor, string(r.Status), r.Reason, sqlstore.Micros(r.StatusSince), r.Seq,
		sqlstore.Micros(r.CreatedAt), sqlstore.Micros(r.UpdatedAt))
}

// rowsOf writes the placeholders of n rows.
func rowsOf(n, width int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i > 0 && i%width == 0:
			b.WriteString("), (")
		case i == 0:
			b.WriteByte('(')
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// InsertMany implements register.Store.
func (s *Store) InsertMany(ctx context.Context, records []register.Record, first []register.Change) (int, error) {
	if len(records) == 0 {
		return 0, nil
	}
	if len(records) > register.MaxBatch || len(records) != len(first) {
		return 0, fmt.Errorf("registerstore: %d records and %d rows of the journal at once", len(records), len(first))
	}
	added := 0
	var args []any
	for part := range slices.Chunk(records, rowsAtOnce) {
		args = args[:0]
		for _, r := range part {
			args = values(args, r)
		}
		n, err := s.db.Exec(ctx, `INSERT INTO licences (`+columns+`) VALUES `+rowsOf(len(part), width)+` ON CONFLICT DO NOTHING`, args...)
		if added += int(n); err != nil || int(n) < len(part) {
			return added, wrap("inserting licences", err)
		}
	}
	for part := range slices.Chunk(first, rowsAtOnce) {
		args = make([]any, 0, len(part)*journalWidth) // Later keeps them
		for _, c := range part {
			args = append(args, c.LicenceID, c.Seq, c.Operation, string(c.From), string(c.To), c.Reason,
				sqlstore.Micros(c.EffectiveAt), sqlstore.Micros(c.RecordedAt), c.Actor)
		}
		if err := s.db.Later(ctx, `INSERT INTO licence_changes
			(licence_id, seq, operation, from_status, to_status, reason, effective_at, recorded_at, actor) VALUES `+rowsOf(len(part), journalWidth), args...); err != nil {
			return added, wrap("writing the journal", err)
		}
	}
	return added, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("registerstore: %s: %w", what, err)
}

// GetByRecordIndexes implements register.Store.
func (s *Store) GetByRecordIndexes(ctx context.Context, issuer, typeID string, recordIndexes []string) ([]register.Record, error) {
	if len(recordIndexes) == 0 {
		return nil, nil
	}
	args := []any{issuer, typeID}
	marks := make([]string, len(recordIndexes))
	for i, index := range recordIndexes {
		args = append(args, index)
		marks[i] = "$" + strconv.Itoa(i+3)
	}
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM licences WHERE issuer = $1 AND type_id = $2 AND record_index IN (`+strings.Join(marks, ", ")+`) AND successor = ''`, args...)
	if err != nil {
		return nil, wrap("finding licences", err)
	}
	return scanAll(rows)
}

func scanAll(rows sqlstore.Rows) ([]register.Record, error) {
	defer rows.Close()
	var out []register.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
