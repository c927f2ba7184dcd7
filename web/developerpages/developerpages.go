// Package developerpages are the views for developers of clients: their client's last requests, and what every refusal means. The layout and
// all wording are package web's; causes and fixes come from the table of errors, through the caller.
package developerpages

import (
	"net/http"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Pages renders them.
type Pages struct{ *web.Pages }

// Refusal is one entry of the table of errors.
type Refusal struct {
	Code, Description string
	Cause, Fix        web.Text
	Spec, SpecLink    string
	Path              string // its own page
}

// ErrorsPage lists the table.
type ErrorsPage struct{ Groups []ErrorGroup }

// ErrorGroup is every refusal of one code.
type ErrorGroup struct {
	Code     string
	Refusals []Refusal
}

// Errors shows the list.
func (p Pages) Errors(w http.ResponseWriter, r *http.Request, page ErrorsPage) {
	p.Render(w, r, http.StatusOK, "developer-errors", page)
}

// Error shows one refusal.
func (p Pages) Error(w http.ResponseWriter, r *http.Request, page Refusal) {
	p.Render(w, r, http.StatusOK, "developer-error", page)
}

// StartPage asks for which client, and for a proof.
type StartPage struct {
	// Open asks for no proof: the form is a GET then.
	Open   bool
	Action string
	CSRF   string
	Client string // as typed
	// Problem says why the last try failed.
	Problem web.Text
}

// Start shows it. Controls: developer-client, developer-secret, developer-go.
func (p Pages) Start(w http.ResponseWriter, r *http.Request, status int, page StartPage) {
	p.Render(w, r, status, "developer-start", page)
}

// The ways in which Start fails: no such client on an open server; client or proof wrong.
var (
	UnknownClient = web.Say("developer.start.unknown", nil)
	WrongProof    = web.Say("developer.start.wrong", nil)
)

// StepName is a step in words.
func StepName(step string) web.Text { return web.Say("developer.step."+step, nil) }

// TrailPage is what a client did last.
type TrailPage struct {
	Name web.Text
	ID   string
	// Refused shows refusals only. All and Only are the links of the two views.
	Refused   bool
	All, Only string
	Groups    []Group // newest first
	// Dropped is how many steps were too many to record.
	Dropped int
	// Deliveries are the logout tokens sent to the client, newest first.
	Deliveries []Delivery
	// Leave is the form target that ends the developer's session; "" hides it.
	Leave, CSRF string
	// Other is where another client is chosen; "" hides it.
	Other string
}

// Delivery is one logout token on its way (Back-Channel Logout 1.0).
type Delivery struct {
	At       time.Time // of the logout
	State    string    // "waiting", "delivered", "refused" or "given_up"
	Attempts int
	Error    string // code of the last failure, "" for none
}

// Stamp is when the person logged out, to the second.
func (d Delivery) Stamp() web.Text { return stamp(d.At) }

// Word is the state in words.
func (d Delivery) Word() web.Text { return web.Say("developer.logout."+d.State, nil) }

// Mark is yes for a delivery that was made, hm for one that waits, no for one that failed.
func (d Delivery) Mark() string {
	switch d.State {
	case "delivered":
		return "yes"
	case "waiting":
		return "hm"
	}
	return "no"
}

// Group is the steps of one login, or one request that belongs to none.
type Group struct {
	At    time.Time
	Steps []Step // oldest first
	// Failed is how many steps were refused.
	Failed int
	// Open shows the steps at once.
	Open bool
}

// Stamp is when it happened, to the second.
func (g Group) Stamp() web.Text { return stamp(g.At) }

// Count is the number of steps.
func (g Group) Count() int { return len(g.Steps) }

// Worst is the last step that was refused.
func (g Group) Worst() (worst Step) {
	for _, s := range g.Steps {
		if !s.OK && !s.Expected {
			worst = s
		}
	}
	return worst
}

// Step is one step with its outcome.
type Step struct {
	Name web.Text
	OK   bool
	// Expected is a refusal that belongs to the protocol: the next request does better.
	Expected bool
	At       time.Time
	Trace    string
	// Times is how often the same refusal came, First when it came first.
	Times int
	First time.Time
	// Refusal is what the table says; Code and Description stand even without an entry.
	Refusal Refusal
	// Reason is what the caller was not told; zero for none.
	Reason web.Text
	// Differ marks where redirect_uri leaves the registered one; nil for other steps.
	Differ *Differ
	Facts  []Fact
}

// Class is the style of its name.
func (s Step) Class() string {
	switch {
	case s.OK:
		return "yes"
	case s.Expected:
		return "hm"
	}
	return "no"
}

// Clock is the time of day to the millisecond.
func (s Step) Clock() string { return s.At.In(web.Beijing).Format("15:04:05.000") }

// Since is when the refusal came first.
func (s Step) Since() web.Text { return stamp(s.First) }

// Fact is one parameter of a request. Hidden ones were sent and are not kept; Unknown is the list of those that nobody knows.
type Fact struct {
	Name, Value     string
	Hidden, Unknown bool
}

// Differ is two addresses, cut where they differ.
type Differ struct {
	Sent, Registered Cut
	// Place counts characters from 1.
	Place int
}

// Cut is a text in three parts: what is the same, the character that isn't ("" at the end), and the rest.
type Cut struct{ Same, Mark, Rest string }

// CutAt cuts s at a byte; s is ASCII.
func CutAt(s string, at int) Cut {
	switch {
	case at < 0 || at > len(s):
		return Cut{Same: s}
	case at == len(s):
		return Cut{Same: s}
	}
	return Cut{s[:at], s[at : at+1], s[at+1:]}
}

// Trail shows the page. Controls: developer-leave.
func (p Pages) Trail(w http.ResponseWriter, r *http.Request, page TrailPage) {
	p.Render(w, r, http.StatusOK, "developer-trail", page)
}

// stamp is a moment in Beijing to the second.
func stamp(t time.Time) web.Text {
	day, clock := web.Date(t), t.In(web.Beijing).Format("15:04:05")
	return web.Text{ZH: day.ZH + " " + clock, EN: day.EN + " " + clock}
}
