package httpx

import (
	"encoding/csv"
	"net/http"
	"strings"
)

// CSV writes a table as a file that spreadsheets open as it is meant. RFC 4180.
type CSV struct{ out *csv.Writer }

// NewCSV writes the headers of the answer and starts the file.
func NewCSV(w http.ResponseWriter, filename string) CSV {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+filename+`"`)
	_, _ = w.Write([]byte("\ufeff")) // without it spreadsheets read Chinese as Latin
	return CSV{csv.NewWriter(w)}
}

// Row writes one row. What a spreadsheet would run as a formula becomes text: some cells come from others.
func (c CSV) Row(cells ...string) {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cell = "'" + cell
		}
		safe[i] = cell
	}
	_ = c.out.Write(safe)
}

// Flush ends the file.
func (c CSV) Flush() { c.out.Flush() }
