package walletpages

import (
	"html/template"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Choice is one preset.
type Choice struct {
	Name    web.Text
	Href    string
	Current bool
	// Own lets the person choose field by field.
	Own bool
}

// Given is one value that the other side sees. Always: it can't be kept back.
type Given struct {
	Label, Value web.Text
	Always       bool
}

// Pick is one box of somebody who picks single fields.
type Pick struct {
	Name   string
	Label  web.Text
	Picked bool
}

// ShowPage is what would be shown, to whom. Unless Ready the page says why nothing can be.
type ShowPage struct {
	Licence Card
	Ready   bool
	// Asked: Asker is the registered name of who asked. Otherwise whoever has the link sees it, for Purpose, for Minutes.
	Asked   bool
	Asker   web.Text
	Purpose web.Text
	Minutes int
	Presets []Choice
	// Choosing shows the boxes.
	Choosing bool
	Picks    []Pick
	Seen     []Given
	Hidden   []web.Text
	// Action is both where the form posts to and where the boxes lead. Carried are the fields of both, Fields those of the form alone.
	Action          string
	Carried, Fields []web.Field
	CSRF            string
	// OtherForm leads to the same in the other format; zero when there is none.
	OtherForm web.Action
}

// Show shows the preview. Controls: show-confirm, show-other-form, take-<type>.
func (p Pages) Show(w http.ResponseWriter, r *http.Request, page ShowPage) {
	p.Render(w, r, http.StatusOK, "wallet-show", page)
}

// ShownPage is the person's own page of a showing.
type ShownPage struct {
	Licence, Asker, Purpose web.Text
	// Link is what the QR code holds; File is where it can be saved from.
	Link, File string
	QR         template.HTML
	Text       string
	Made       time.Time
	Until      time.Time
	Opened     int
	LastOpened time.Time
	Seen       []Given
	ID         string
	CSRF       string
	// Again is the page that shows it anew, Self this one.
	Again, Self string
}

// Shown shows it. Controls: shown-link, shown-presentation, shown-stop.
func (p Pages) Shown(w http.ResponseWriter, r *http.Request, page ShownPage) {
	label := web.Say("wallet.shown.qr", nil)
	code, err := web.QR(page.Link, label.ZH+" / "+label.EN)
	if err != nil { // an origin of a thousand characters: the link works without the code
		code = ""
	}
	page.QR = code
	p.Render(w, r, http.StatusOK, "wallet-shown", page)
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

// Check is one thing that was checked.
type Check struct {
	Result           string // pass, fail, unknown
	Label, Said, Age web.Text
}

// Class is the style of the result.
func (c Check) Class() string {
	switch c.Result {
	case "pass":
		return "yes"
	case "fail":
		return "no"
	}
	return "hm"
}

// PublicPage is what whoever has the link sees.
type PublicPage struct {
	// Licence is its type, Person the name if that was shown.
	Licence, Person web.Text
	// Asker and Counter: it was shown to somebody who asked, and is checked at their counter. Nothing else is filled then.
	Asker   web.Text
	Counter string

	Outcome Outcome
	Word    web.Text
	Reason  web.Text
	Purpose web.Text
	Issuer  web.Text
	Made    time.Time
	Until   time.Time
	Facts   []web.Fact // how old the knowledge is
	Shown   []web.Fact
	Hidden  []web.Text
	Checks  []Check
	Steps   []web.Text
	File    string
}

// Public shows it.
func (p Pages) Public(w http.ResponseWriter, r *http.Request, page PublicPage) {
	name := "shown-public"
	if !page.Asker.IsZero() {
		name = "shown-asked"
	}
	p.Render(w, r, http.StatusOK, name, page)
}
