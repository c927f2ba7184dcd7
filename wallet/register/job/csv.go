package job

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// table reads CSV (RFC 4180): the first row names columns, each further row is a record. Columns are called as in the API, such as "record_number",
// "holder.name", "valid_to" and the fields of the type; a field may also be called by its name in Chinese or English if the request names
// the type. Values of a list are separated by semicolons.
type table struct {
	r       *csv.Reader
	guard   *guard
	types   map[string]licencetype.Type
	typeID  string
	columns []string // member of a record, by column
}

// topMembers are columns beside the fields.
var topMembers = []string{"type", "record_number", "valid_from", "valid_to", "holder.name", "holder.code", "holder.code_type", "holder.reference",
	"holder.representative.name", "holder.representative.code", "holder.representative.code_type"}

// guard ends a row that never ends: an unclosed quotation mark would else read the whole file into memory.
type guard struct {
	r    io.Reader
	left int
}

var errLongRow = errors.New("job: a row never ends")

func (g *guard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errLongRow
	}
	n, err := g.r.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}

// maxRow is the most bytes of a row, and what the reader reads ahead.
const maxRow = 2 * maxRecord

func newTable(r io.Reader, typeID string, types []licencetype.Type) (*table, error) {
	t := &table{guard: &guard{r: r, left: maxRow}, typeID: typeID, types: map[string]licencetype.Type{}}
	for _, x := range licencetype.Newest(types) {
		t.types[x.ID] = x
	}
	t.r = csv.NewReader(t.guard)
	t.r.FieldsPerRecord, t.r.ReuseRecord = -1, true
	head, err := t.row()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file is empty", ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range head {
		column, ok := t.column(strings.TrimSpace(name))
		if !ok || slices.Contains(t.columns, column) {
			return nil, fmt.Errorf("%w: the column %q of the first row is unknown or there twice; columns are %s, and the fields of the type", ErrInvalid,
				licencetype.Clip(name), strings.Join(topMembers, ", "))
		}
		t.columns = append(t.columns, column)
	}
	if !slices.Contains(t.columns, "type") && typeID == "" {
		return nil, fmt.Errorf("%w: neither a column nor the request says the licence type", ErrInvalid)
	}
	return t, nil
}

// column finds the member of a record that a header means.
func (t *table) column(name string) (string, bool) {
	if slices.Contains(topMembers, name) {
		return name, true
	}
	bare, _ := strings.CutPrefix(name, "fields.")
	for id, x := range t.types {
		for _, f := range x.Fields {
			named := id == t.typeID && (f.Text["zh"] == name || strings.EqualFold(f.Text["en"], name))
			if f.Name == bare || named {
				return "fields." + f.Name, true
			}
		}
	}
	return "", false
}

// row reads a row. A fault of the file as a whole is ErrInvalid.
func (t *table) row() ([]string, error) {
	row, err := t.r.Read()
	t.guard.left = maxRow
	line := 0
	if len(row) > 0 {
		line, _ = t.r.FieldPos(0)
	}
	for _, cell := range row {
		if !utf8.ValidString(cell) {
			return nil, notUTF8(line)
		}
	}
	var broken *csv.ParseError
	switch {
	case errors.Is(err, errLongRow):
		return nil, fmt.Errorf("%w: a row is longer than %d bytes; is a quotation mark missing?", ErrInvalid, maxRow)
	case errors.As(err, &broken):
		return nil, fmt.Errorf("%w: line %d is no row of CSV (%v)", ErrInvalid, broken.Line, broken.Err)
	}
	return row, err
}

func (t *table) next() (item, error) {
	for {
		row, err := t.row()
		if err != nil {
			return item{}, err
		}
		line, _ := t.r.FieldPos(0)
		if !slices.ContainsFunc(row, func(c string) bool { return c != "" }) {
			continue // an empty row, as at the end of what spreadsheets save
		}
		if len(row) != len(t.columns) {
			return item{line: line, fault: &licencetype.FieldError{Code: licencetype.CodeFormat, Message: fmt.Sprintf("has %d cells, the first row has %d", len(row), len(t.columns))}}, nil
		}
		text, err := json.Marshal(t.record(row))
		if err != nil {
			return item{}, err
		}
		return item{line: line, text: text}, nil
	}
}

// record makes a row into the JSON of a record. Empty cells are left out.
func (t *table) record(row []string) map[string]any {
	fields := map[string]any{}
	out := map[string]any{"fields": fields}
	if t.typeID != "" {
		out["type"] = t.typeID
	}
	for i, cell := range row {
		if cell == "" {
			continue
		}
		name, isField := strings.CutPrefix(t.columns[i], "fields.")
		if !isField {
			set(out, strings.Split(name, "."), cell)
			continue
		}
		fields[name] = cell
	}
	typeID, _ := out["type"].(string)
	for _, f := range t.types[typeID].Fields {
		if cell, ok := fields[f.Name].(string); ok && f.Kind == "list" {
			fields[f.Name] = split(cell)
		}
	}
	return out
}

// set puts a value at a path of members.
func set(m map[string]any, path []string, v string) {
	for _, name := range path[:len(path)-1] {
		inner, ok := m[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			m[name] = inner
		}
		m = inner
	}
	m[path[len(path)-1]] = v
}

func split(cell string) []any {
	var out []any
	for part := range strings.SplitSeq(strings.ReplaceAll(cell, "；", ";"), ";") {
		out = append(out, strings.TrimSpace(part))
	}
	return out
}
