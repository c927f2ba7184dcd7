package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Limits of one import. Larger files are sent in parts, which changes nothing: an import is idempotent and every record stands alone.
const (
	// MaxImport is the most bytes of one request body.
	MaxImport = 8 << 20
	// MaxImportRecords is the most records of one request.
	MaxImportRecords = 5000
	// maxRecord is the most bytes of one record: an image of 50 KB in base64, and the rest.
	maxRecord = 128 << 10
)

// ImportItem is one record of a file, or what is wrong with it.
type ImportItem struct {
	// Line counts from 1: lines of JSONL, elements of an array.
	Line   int
	Record ImportRecord
	Faults []FieldError
}

// ParseImport reads JSON Lines or one JSON array of records. A record that can't be read becomes an item with Faults; only a file that is neither
// form, or too large, is refused as a whole (ErrInvalid).
func ParseImport(b []byte) ([]ImportItem, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // editors on Windows put a byte order mark there
	if len(b) > MaxImport {
		return nil, fmt.Errorf("%w: the file is larger than %d bytes; send it in parts", ErrInvalid, MaxImport)
	}
	trimmed := bytes.TrimSpace(b)
	var items []ImportItem
	switch {
	case len(trimmed) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrInvalid)
	case trimmed[0] == '[':
		var err error
		if items, err = parseArray(trimmed); err != nil {
			return nil, err
		}
	default:
		line := 0
		for text := range bytes.Lines(b) {
			line++
			if text = bytes.TrimSpace(text); len(text) > 0 {
				items = append(items, ParseRecord(line, text))
			}
			if len(items) > MaxImportRecords {
				return nil, errTooMany
			}
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: the file holds no record", ErrInvalid)
	}
	return items, nil
}

// parseArray reads one element after the other: an array of a few million tiny ones would become some hundred megabytes at once.
func parseArray(b []byte) ([]ImportItem, error) {
	broken := fmt.Errorf("%w: the file starts like a JSON array, but isn't one", ErrInvalid)
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	var items []ImportItem
	for d.More() {
		if len(items) == MaxImportRecords {
			return nil, errTooMany
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, broken
		}
		items = append(items, ParseRecord(len(items)+1, raw))
	}
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, broken
	}
	return items, nil
}

var errTooMany = fmt.Errorf("%w: more than %d records; send them in parts", ErrInvalid, MaxImportRecords)

var (
	recordMembers = []string{"type", "record_number", "holder", "fields", "valid_from", "valid_to"}
	holderMembers = []string{"name", "code", "code_type", "reference", "representative"}
)

// ParseRecord reads one record in JSON: an item with Faults if it can't be read.
func ParseRecord(line int, raw []byte) ImportItem {
	item := ImportItem{Line: line}
	var f licencetype.Faults
	if len(raw) > maxRecord {
		f.Add("", licencetype.CodeTooLarge, "the record is larger than %d bytes", maxRecord)
	} else if err := jose.DecodeStrict(raw, &item.Record); err != nil {
		f.Add("", licencetype.CodeNotJSON, "is not a record in JSON: %s", jsonFault(err))
	} else {
		// A misspelt valid_to would otherwise make a licence for the long term.
		var given map[string]json.RawMessage
		f.Members("", raw, recordMembers, &given)
		if holder, ok := given["holder"]; ok {
			var members map[string]json.RawMessage
			f.Members("holder.", holder, holderMembers, &members)
			if representative, ok := members["representative"]; ok {
				f.Members("holder.representative.", representative, holderMembers[:3], nil)
			}
		}
	}
	item.Faults = f
	return item
}

func jsonFault(err error) string {
	switch {
	case errors.Is(err, jose.ErrDuplicateMember):
		return "a member is there twice"
	case errors.Is(err, jose.ErrTooLarge):
		return "nested too deeply"
	}
	return "broken, or a member is of the wrong type"
}
