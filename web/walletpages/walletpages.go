// Package walletpages are the views of the hosted wallet: the licences as cards, one licence, what would be shown, what was shown, the history. Layout and wording
// are package web's.
package walletpages

import (
	"net/http"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Pages renders the wallet's pages.
type Pages struct{ *web.Pages }

// Card is one licence in the wallet.
type Card struct {
	ID, TypeID   string
	Name, Issuer web.Text
	// Status is the legal word, Tone its icon and colour; Reason says why it is not valid, Since when that began.
	Status, Reason     web.Text
	Tone               web.Tone
	Since              time.Time
	ValidFrom, ValidTo time.Time
	InForce            bool
	// Taken says that a copy is here; Until is when the copy must be renewed, Stale that it should be now.
	Taken bool
	Until time.Time
	Stale bool
	// WhyNot says why it can't be taken or shown; zero when it can.
	WhyNot web.Text
	// Holder stands on the card, so that several people at one screen don't mix up theirs.
	Holder web.Text
	// Path is /wallet/licences/{id}. Suffix tells apart the controls of several licences of one type: "", "-2" ...
	Path, Suffix string
}

// StatusClass is the style of the status.
func (c Card) StatusClass() string {
	switch c.Tone {
	case web.ToneOK:
		return "yes"
	case web.ToneWarn:
		return "hm"
	}
	return "no"
}

// TakeID, ShowID, OpenID and ReportID are the ids of the controls.
func (c Card) TakeID() string   { return "take-" + c.TypeID + c.Suffix }
func (c Card) ShowID() string   { return "show-" + c.TypeID + c.Suffix }
func (c Card) OpenID() string   { return "open-" + c.TypeID + c.Suffix }
func (c Card) ReportID() string { return "report-" + c.TypeID + c.Suffix }

// ListPage is the wallet.
type ListPage struct {
	Person web.Text
	Cards  []Card
	CSRF   string
	Logout string
}

// List shows the wallet. Controls: take-<type>, show-<type>, open-<type>, logout.
func (p Pages) List(w http.ResponseWriter, r *http.Request, page ListPage) {
	seen := map[string]int{}
	for i, c := range page.Cards {
		if seen[c.TypeID]++; seen[c.TypeID] > 1 {
			page.Cards[i].Suffix = "-" + strconv.Itoa(seen[c.TypeID])
		}
	}
	p.Render(w, r, http.StatusOK, "wallet-list", page)
}

// Seen is one showing, as the history tells it.
type Seen struct {
	At    time.Time
	Until time.Time
	// Licence is what was shown, Whom to whom: a registered name, or zero when nobody had asked.
	Licence, Whom web.Text
	Preset        web.Text
	Fields        []web.Text
	Opened        int
	LastOpened    time.Time
	// Stopped is zero unless the person ended it. Open says that the link works now; then ID stops it.
	Stopped time.Time
	Open    bool
	ID      string
	CSRF    string
}

// DetailPage is one licence.
type DetailPage struct {
	Card
	Fields  []web.Fact
	History []Seen
	CSRF    string
	Logout  string
}

// Detail shows one licence. Controls: take-<type>, show-<type>, report-<type>, remove, logout.
func (p Pages) Detail(w http.ResponseWriter, r *http.Request, page DetailPage) {
	p.Render(w, r, http.StatusOK, "wallet-licence", page)
}

// HistoryPage lists every showing, or those of one licence. Choices are all and each licence, File the same list as a table.
type HistoryPage struct {
	Choices []Choice
	File    string
	Seen    []Seen
	CSRF    string
	Logout  string
}

// History shows it.
func (p Pages) History(w http.ResponseWriter, r *http.Request, page HistoryPage) {
	p.Render(w, r, http.StatusOK, "wallet-history", page)
}

// AskPage answers a request for a licence that is not here: Licence is zero, or one that must be taken first.
type AskPage struct {
	Asker   web.Text
	Licence Card
	Carried []web.Field
	CSRF    string
}

// Ask shows it. Control: take-<type>.
func (p Pages) Ask(w http.ResponseWriter, r *http.Request, page AskPage) {
	p.Render(w, r, http.StatusOK, "wallet-ask", page)
}
