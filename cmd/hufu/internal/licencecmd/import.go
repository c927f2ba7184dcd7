package licencecmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/hufu-id/hufu/wallet/register"
)

// importPart is how many bytes of records go into one request: below the limit that a server has for bodies of any kind.
const importPart = 48 << 10

// rawRecord is one record of a file, not yet understood.
type rawRecord struct {
	line int
	text []byte
}

func readInput(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", err)
	}
	return b, nil
}

// splitRecords takes a file of JSON Lines or a JSON array apart. What a line says is judged by the server.
func splitRecords(b []byte) ([]rawRecord, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	var out []rawRecord
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '[' {
		var raws []json.RawMessage
		if err := json.Unmarshal(trimmed, &raws); err != nil {
			return nil, errors.New("the file starts like a JSON array, but isn't one")
		}
		for i, raw := range raws {
			var line bytes.Buffer
			if err := json.Compact(&line, raw); err != nil {
				return nil, fmt.Errorf("record %d is not JSON", i+1)
			}
			out = append(out, rawRecord{i + 1, line.Bytes()})
		}
	} else {
		n := 0
		for line := range bytes.Lines(b) {
			n++
			if line = bytes.TrimSpace(line); len(line) > 0 {
				out = append(out, rawRecord{n, bytes.Clone(line)})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the file holds no record")
	}
	return out, nil
}

// importRecords sends records in parts and puts the reports together. After a failure the report says what was done until then; sending
// the whole file again is safe.
func (c *departmentClient) importRecords(ctx context.Context, records []rawRecord) (register.ImportReport, error) {
	report := register.ImportReport{Records: []register.ImportLine{}}
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && (n == 0 || size+len(records[n].text) < importPart) {
			size += len(records[n].text) + 1
			n++
		}
		var body bytes.Buffer
		for _, r := range records[:n] {
			body.Write(r.text)
			body.WriteByte('\n')
		}
		var part register.ImportReport
		if err := c.Call(ctx, http.MethodPost, "/register/v1/licences", "application/x-ndjson", body.Bytes(), &part); err != nil {
			return report, err
		}
		report.Created += part.Created
		report.Unchanged += part.Unchanged
		report.Refused += part.Refused
		for _, line := range part.Records {
			if line.Line >= 1 && line.Line <= n {
				line.Line = records[line.Line-1].line
			}
			report.Records = append(report.Records, line)
		}
		records = records[n:]
	}
	return report, nil
}
