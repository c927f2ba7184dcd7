// Package correctionpages are the views of what a person reports as wrong in her licences. The layout is package web's; all wording stands in
// web/messages/correction.*.json.
package correctionpages

import (
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/hufu-id/hufu/web"
)

// Pages renders the pages.
type Pages struct{ *web.Pages }

// Choice is one entry of the licence that may be wrong.
type Choice struct {
	Name  string
	Label web.Text
	// Value is what stands there now; zero says that nothing does.
	Value  web.Text
	Chosen bool
	// Other marks the choice that is no entry.
	Other bool
}

// ReportPage asks what is wrong.
type ReportPage struct {
	Licence, Issuer web.Text
	Fields          []Choice
	// Text is what was typed before, Max how many characters it may have.
	Text string
	Max  int
	// FieldProblem and TextProblem say what to mend; zero when all is well.
	FieldProblem, TextProblem web.Text
	Action, CSRF              string
	// Wallet and List are the ways out.
	Wallet, List string
}

// Hidden are the other hidden fields of the form: none.
func (ReportPage) Hidden() []web.Field { return nil }

// Other is the name of the choice that is no entry: the senior page asks in one box, and lets the authority find the entry.
func (p ReportPage) Other() string {
	for _, f := range p.Fields {
		if f.Other {
			return f.Name
		}
	}
	return ""
}

// Wrong says whether something is to be mended.
func (p ReportPage) Wrong() bool { return !p.FieldProblem.IsZero() || !p.TextProblem.IsZero() }

// Han says whether the text that was typed holds Chinese, so that an English page can say so to screen readers.
func (p ReportPage) Han() bool {
	return strings.ContainsFunc(p.Text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// Report shows the form. Controls: report-field-<name> (not on the senior page), report-text, report-send.
func (p Pages) Report(w http.ResponseWriter, r *http.Request, status int, page ReportPage) {
	p.Render(w, r, status, "correction-report", page)
}

// Row is one report with its state.
type Row struct {
	// Licence and Issuer are zero for a licence that is no longer the person's.
	Licence, Issuer web.Text
	LicenceID       string
	Field           web.Text
	Text            web.Text
	ReportedAt      time.Time
	Answered        bool
	// Outcome is "corrected", "not_wrong" or "forwarded" once answered.
	Outcome    string
	Answer     web.Text
	AnsweredAt time.Time
}

// OutcomeText is the outcome in words.
func (r Row) OutcomeText() web.Text {
	switch r.Outcome {
	case "corrected":
		return web.Say("correction.outcome.corrected", nil)
	case "not_wrong":
		return web.Say("correction.outcome.not_wrong", nil)
	}
	return web.Say("correction.outcome.forwarded", nil)
}

// ListPage is what the person reported, the newest first.
type ListPage struct {
	Reports []Row
	Wallet  string
}

// List shows the reports.
func (p Pages) List(w http.ResponseWriter, r *http.Request, page ListPage) {
	p.Render(w, r, http.StatusOK, "correction-list", page)
}
