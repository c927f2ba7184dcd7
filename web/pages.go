// Package web renders every page that Hufu itself shows: one layout, one stylesheet, two languages, a senior variant, no script.
//
// A module fills a typed view (ChooserPage, ConsentPage, ProblemPage, ...) and calls the method of the same name on *Pages. The view
// holds only facts; all wording comes from web/messages. A page is rendered into memory before the first byte is sent, so a template
// fault is a plain 500 with a trace id and never half a page. Pages need no script, inline style, data: URI or foreign origin, so
// Content-Security-Policy default-src 'self' holds for all of them.
//
// All methods of *Pages are safe for concurrent use.
package web

import (
	"context"
	"html/template"
	"net/http"
	"time"
)

// Config is what the pages need to know about the server. The zero value is a production server without a version.
type Config struct {
	// Sandbox puts the strip "all people and data are invented" on top of every page.
	Sandbox bool
	// Version is shown in the foot, for example "0.1".
	Version string
	// Desk makes them the pages of a department's counter; nil for the national server.
	Desk *Desk
	// Now tells the time of a problem page that has none. Nil means time.Now.
	Now func() time.Time
	// Trace returns the trace id of a request, for problem pages that have none. Nil means audit.Trace.
	Trace func(context.Context) string
}

// Desk is a department's counter as the frame around its pages shows it.
type Desk struct {
	// Base is the path of the counter, without a slash at the end: pages and assets lie below it.
	Base       string
	Department Text
}

// Pages renders pages and serves their assets. Make one with New.
type Pages struct {
	cfg       Config
	assets    *assets
	templates map[string]*template.Template
}

// Field is one hidden input of a form.
type Field struct{ Name, Value string }

// Action is one way on: a link (GET) with a label and an optional hint below it. Href may be relative.
type Action struct {
	Label Text
	Hint  Text
	Href  string
}

// Fact is one labelled value of a ledger.
type Fact struct{ Label, Value Text }

// Docket says who sent the person here. Registered names only, never text from the request.
type Docket struct {
	Service    Text
	Department Text
	// RequiredACR is "loa1" to "loa4", shown in words with a reason; "" shows nothing.
	RequiredACR string
	// Why replaces the general reason for the required level.
	Why   Text
	About About
}

// About is where a client says more of itself: registered addresses of its own, shown as links that tell it nothing of where one comes from. The
// logo's origin must be allowed for the page (httpx.AllowImage). SelfMade: it registered itself, and nobody checked who it is.
type About struct {
	Logo, Policy, Terms string
	SelfMade            bool
}

// IsZero reports whether there is nothing to show.
func (a About) IsZero() bool { return a.Logo+a.Policy+a.Terms == "" }

// Province is one entry of the chooser.
type Province struct {
	Code  string // GB/T 2260, six digits: the control id is "province-<Code>"
	Short string // 简称, for example 粤
	Name  Text   // 广东省, Guangdong
	App   string // the province's app, for example 粤省事
	Href  string // relative link that starts the login, for example "440000"
	State Text   // in words when not all is well ("较慢，约多等 8 秒"); empty when it is
	// Connected is false for a province that has not joined yet: it is listed, in words, and is no link.
	Connected bool
}

// Region is one group of provinces, in GB/T 2260 order.
type Region struct {
	Code      string // stable ASCII name for links, for example "north"
	Name      Text   // 华北, North
	Provinces []Province
}

// ChooserPage asks with which province the person logs in (served at /login/{flow}/, so links may be relative).
// The senior page shows regions instead of squares and opens one by its own ?region=<code>, which needs no help from the caller.
type ChooserPage struct {
	Docket     Docket
	Remembered *Province // the province used last time on this browser, or nil
	Regions    []Region
	Query      string     // what was searched for (?q=), or ""
	Results    []Province // what was found for Query; none and a Query shows the empty state and the whole list
	Cancel     string     // href back to the department, for example "cancel"; "" hides it
	Forget     string     // href that forgets Remembered; "" hides it
}

// Chooser shows the province chooser. Controls: province-<six digits>, each once per page.
func (p *Pages) Chooser(w http.ResponseWriter, r *http.Request, page ChooserPage) {
	p.Render(w, r, http.StatusOK, "chooser", newChooserView(page, r.URL.Query().Get("region")))
}

// GivenItem is one piece of data that the client would receive.
type GivenItem struct {
	Key   string // claim name, for example "phone_number"
	Label Text   // zero: the catalogue's label for Key (see ClaimLabel)
	Value Text   // the real value
	// Required items are ticked and can't be left out. Others get a checkbox, unticked, named Checkbox with value "1".
	Required bool
	Checkbox string // "" means "share-" + Key
	Note     Text   // purpose, how long it is kept
	New      bool   // was not part of the last consent: marked in words
}

// ConsentPage asks for consent, or gives notice where the law leaves no choice. The form posts to Action: the Hidden fields, csrf,
// decision ("allow" or "deny"), term ("once" or "standing", when OfferStanding) and the checkboxes of optional items.
type ConsentPage struct {
	Client        Text // the recipient, in the largest type after the heading
	About         About
	Service       Text
	Registered    time.Time // when the registration was last checked; zero hides the date
	SelfMade      bool      // the client registered itself: nobody checked its name
	Given         []GivenItem
	Stays         []Text    // what the client could know and does not get
	Notice        bool      // 告知: no choice, buttons say so
	LastTime      time.Time // when this client last received data; zero says "this is the first time"
	OfferStanding bool      // offer "do not ask again for the same data"
	Action        string
	CSRF          string
	Hidden        []Field
}

// Consent shows the consent page. Controls: consent-allow, consent-deny.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, page ConsentPage) {
	p.Render(w, r, http.StatusOK, "consent", newConsentView(page))
}

// HandbackPage carries an answer to a client by POST: the form goes by itself, or by its button.
type HandbackPage struct {
	Client Text
	Action string // the client's registered address
	Fields []Field
}

// Handback sends the browser back to a client by a form. Control: handback-go.
func (p *Pages) Handback(w http.ResponseWriter, r *http.Request, page HandbackPage) {
	p.Render(w, r, http.StatusOK, "handback", page)
}

// LogoutPage asks whether to end the session. The form posts Hidden and csrf to Action.
type LogoutPage struct {
	Client Text // who asked, or zero
	Action string
	CSRF   string
	Hidden []Field
	Stay   string // href for staying logged in; "" hides it
}

// LogoutConfirm asks for confirmation before logging out. Control: logout-confirm.
func (p *Pages) LogoutConfirm(w http.ResponseWriter, r *http.Request, page LogoutPage) {
	p.Render(w, r, http.StatusOK, "logout", page)
}

// LoggedOutPage says that the session has ended.
type LoggedOutPage struct {
	Services []Text  // departments logged in to in this session, which may still show the person as logged in
	Next     *Action // way on, or nil for the home page
	// Stray: the address that Client asked to go back to is not registered. The page says so, with status 400.
	Stray  bool
	Client Text // zero for an unknown one
}

// LoggedOut shows the end of a session.
func (p *Pages) LoggedOut(w http.ResponseWriter, r *http.Request, page LoggedOutPage) {
	status := http.StatusOK
	if page.Stray {
		status = http.StatusBadRequest
	}
	p.Render(w, r, status, "loggedout", page)
}
