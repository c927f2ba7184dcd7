// Package counterpages are the views of a department's counter: asking, the verdict, receipts, history, the state of its trust bundle. The layout and all wording
// are package web's; the words of a verdict come from the verifier itself, through the caller.
package counterpages

import (
	"html/template"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Pages renders the counter's pages. Make the web.Pages with a Desk.
type Pages struct{ *web.Pages }

// Choice is one thing that can be asked for.
type Choice struct {
	Name    web.Text
	Href    string
	Current bool
}

// AskPage asks for a presentation and takes it.
type AskPage struct {
	Choices []Choice
	// QR is made from Link when it is empty.
	QR   template.HTML
	Link string
	// Nonce and Audience are for wallets that can't read the link. Until is when the nonce is over.
	Nonce, Audience string
	Until           time.Time
	// Trust warns about the trust bundle; zero when it is fit for use.
	Trust web.Text
	// Problem says why the last input could not be checked; Input is kept only when it was short.
	Problem web.Text
	Action  string
	CSRF    string
	Purpose string
}

// Ask shows the page. Controls: counter-nonce, counter-audience, counter-input, counter-file, counter-check.
func (p Pages) Ask(w http.ResponseWriter, r *http.Request, status int, page AskPage) {
	if page.QR == "" {
		label := web.Say("counter.qr", nil)
		code, err := web.QR(page.Link, label.ZH+" / "+label.EN)
		if err != nil { // too long for a code: the link below it still works
			code = ""
		}
		page.QR = code
	}
	p.Render(w, r, status, "counter-ask", page)
}

// Outcome is a verdict as its block shows it: "valid", "invalid" or "cannot_tell".
type Outcome string

// Class is the style of the block.
func (o Outcome) Class() string {
	switch o {
	case "valid":
		return "ok"
	case "invalid":
		return "bad"
	}
	return "warn"
}

// Block is the verdict word with what it is about.
type Block struct {
	Outcome Outcome
	Word    web.Text // in both languages: both are shown
	About   []web.Text
}

// Step is what to do next, with the page where it is done; Href "" is none.
type Step struct {
	Text, Link web.Text
	Href       string
}

// CheckRow is one check in words. Result is "pass", "fail" or "unknown".
type CheckRow struct {
	Result           string
	Label, Said, Age web.Text
}

// Class is the style of the row's icon.
func (c CheckRow) Class() string {
	switch c.Result {
	case "pass":
		return "yes"
	case "fail":
		return "no"
	}
	return "hm"
}

// Node is one link of the trust path.
type Node struct {
	Name  string
	Until time.Time
}

// Text is the name as text.
func (n Node) Text() web.Text { return web.Plain(n.Name) }

// VerdictPage is the answer to a presentation.
type VerdictPage struct {
	Block  Block
	Reason web.Text
	// Old warns about old knowledge behind a valid verdict; zero when it is fresh.
	Old    web.Text
	Shown  []web.Fact
	Hidden []web.Text
	// Issuer is zero unless proven.
	Issuer     web.Text
	IssuerCode string
	Steps      []Step
	Checks     []CheckRow
	Path       []Node
	Record     []web.Fact
	Receipt    string
	// Person is the form target of the comparison; "" hides it.
	Person, CSRF string
	// Base is the counter's path.
	Base string
}

// Verdict shows it. Controls: counter-verdict with data-verdict, counter-receipt, counter-same, counter-other, counter-next.
func (p Pages) Verdict(w http.ResponseWriter, r *http.Request, page VerdictPage) {
	p.Render(w, r, http.StatusOK, "counter-verdict", page)
}

// ReceiptPage is the record of a check, to print: no claim values.
type ReceiptPage struct {
	Block   Block
	Reason  web.Text
	Receipt string
	Record  []web.Fact
	Base    string
}

// Receipt shows it. Controls: counter-verdict, counter-receipt.
func (p Pages) Receipt(w http.ResponseWriter, r *http.Request, page ReceiptPage) {
	p.Render(w, r, http.StatusOK, "counter-receipt", page)
}

// HistoryRow is one check.
type HistoryRow struct {
	Outcome      Outcome
	Word, Type   web.Text
	Issuer       web.Text
	At           time.Time
	Receipt      string
	Href         string
	Reason, More web.Text
}

// Class is the style of the verdict word.
func (h HistoryRow) Class() string {
	return CheckRow{Result: map[Outcome]string{"valid": "pass", "invalid": "fail"}[h.Outcome]}.Class()
}

// HistoryPage lists checks.
type HistoryPage struct {
	Choices []Choice
	// Verdict and Day are the filter, Day as YYYY-MM-DD.
	Verdict, Day string
	Rows         []HistoryRow
	// Full says that there are more than are shown.
	Full bool
	CSV  string
	Base string
}

// History shows the list. Controls: counter-day, counter-csv.
func (p Pages) History(w http.ResponseWriter, r *http.Request, page HistoryPage) {
	p.Render(w, r, http.StatusOK, "counter-history", page)
}

// BundlePage is the state of the counter's own copy of the trust bundle.
type BundlePage struct {
	// Tone judges the state that Said describes.
	Tone  web.Tone
	Said  web.Text
	Facts []web.Fact
	// Fingerprint is the root's, to compare out of band; "" without a bundle.
	Fingerprint string
	// Result is what the last action did; zero when there was none. ResultTone judges it.
	Result     web.Text
	ResultTone web.Tone
	Refresh    string
	Import     string
	CSRF       string
	Base       string
}

// Bundle shows the state. Controls: counter-refresh, counter-bundle-file, counter-import.
func (p Pages) Bundle(w http.ResponseWriter, r *http.Request, status int, page BundlePage) {
	p.Render(w, r, status, "counter-bundle", page)
}

// Stamp is a moment in Beijing to the second, for ledgers.
func Stamp(t time.Time) web.Text {
	day, clock := web.Date(t), t.In(web.Beijing).Format("15:04:05")
	return web.Text{ZH: day.ZH + " " + clock, EN: day.EN + " " + clock}
}
