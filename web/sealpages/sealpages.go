// Package sealpages is the page of one e-seal, for whoever holds a sealed document and wants to know about the seal.
package sealpages

import (
	"net/http"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Pages renders the page.
type Pages struct{ *web.Pages }

// State is one state of the seal. Word is for people.
type State struct {
	Word  web.Text
	Class string // yes, hm, no
	Since time.Time
}

// Page is what everybody may know of a seal.
type Page struct {
	ID                   string
	Name, Kind           web.Text
	Owner, Maker         web.Text
	OwnerCode, MakerCode string
	DocumentKinds        []web.Text
	ValidFrom, ValidTo   string // YYYY-MM-DD
	Now                  State
	History              []State // oldest first
	Picture              string  // href, "" for none
	Command              string  // what checks a sealed file; set by Seal
}

// From and To are the days of validity in words.
func (p Page) From() web.Text { return web.ISODate(p.ValidFrom) }

// To is the last day of validity.
func (p Page) To() web.Text { return web.ISODate(p.ValidTo) }

// states are the words and styles of the states that there are.
var states = map[string]string{"active": "yes", "suspended": "hm", "cancelled": "no"}

// StateOf returns a state in words; one that isn't known counts as cancelled.
func StateOf(state string, since time.Time) State {
	class, known := states[state]
	if !known {
		return State{Word: web.Plain(state), Class: "no", Since: since}
	}
	word := map[string]web.Text{"active": web.Say("seal.active", nil), "suspended": web.Say("seal.suspended", nil), "cancelled": web.Say("seal.cancelled", nil)}[state]
	return State{Word: word, Class: class, Since: since}
}

// Seal shows the page.
func (p Pages) Seal(w http.ResponseWriter, r *http.Request, page Page) {
	page.Command = "hufu verify --root root.json --bundle bundle.zip --seal FILE.jades FILE"
	p.Render(w, r, http.StatusOK, "seal", page)
}

// NotFound says that there is no such seal.
func (p Pages) NotFound(w http.ResponseWriter, r *http.Request) {
	page := web.NewProblem(web.ProblemNotFound, nil)
	page.Cause = web.Say("seal.none", nil)
	p.Problem(w, r, page)
}
