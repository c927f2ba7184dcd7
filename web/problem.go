package web

import (
	"net/http"
	"time"
)

// ProblemKind names a problem whose wording stands in the catalogue under "problem.<kind>.*".
type ProblemKind string

// Problems that modules report. The arguments that a kind takes stand behind it.
const (
	ProblemFlowGone         ProblemKind = "flow_gone"         // the login's cookie is missing, too old or another browser's
	ProblemRequest          ProblemKind = "request"           // an authorization request that can't be answered by redirect
	ProblemClient           ProblemKind = "client"            // unknown client
	ProblemRedirect         ProblemKind = "redirect"          // redirect URI not registered; {client}
	ProblemRequestURI       ProblemKind = "request_uri"       // pushed request unknown, used or too old; {client}
	ProblemProvinceDown     ProblemKind = "province_down"     // {province}
	ProblemProvinceSlow     ProblemKind = "province_slow"     // no answer in time; {province}
	ProblemProvinceAnswer   ProblemKind = "province_answer"   // the answer failed a check (signature, issuer, nonce, time); {province}
	ProblemProvinceDeclined ProblemKind = "province_declined" // the person or the province cancelled there; {province}
	ProblemProvinceUnknown  ProblemKind = "province_unknown"  // no such province, or not connected
	ProblemReplayed         ProblemKind = "replayed"          // this answer was used before (reload, back button)
	ProblemLevel            ProblemKind = "level"             // login is below the level needed; {have}, {need}, {province}
	ProblemConflict         ProblemKind = "conflict"          // accounts that must not be joined silently
	ProblemForm             ProblemKind = "form"              // CSRF or stale form
	ProblemLogout           ProblemKind = "logout"            // logout request that can't be trusted
	ProblemOfferGone        ProblemKind = "offer_gone"        // offer used, expired or ended by wrong codes
	ProblemLicence          ProblemKind = "licence"           // this licence can't be moved to a wallet now
	ProblemNotFound         ProblemKind = "not_found"         // no such page
	ProblemMethod           ProblemKind = "method"            // method not allowed
	ProblemTooLarge         ProblemKind = "too_large"         // request too large
	ProblemBusy             ProblemKind = "busy"              // too many requests or no capacity
	ProblemInternal         ProblemKind = "internal"          // our own fault
)

// ProblemPage says what happened, what is safe, what to do next, and the number to quote. Fill it with NewProblem and set what the
// kind can't know (Next, Others). Never put a token, code, key or text from the request into it.
type ProblemPage struct {
	Status    int // HTTP status, 400 to 599
	Kind      ProblemKind
	Title     Text
	Cause     Text
	Safe      Text // what is not lost and was not shared
	Next      *Action
	Others    []Action
	TraceID   string    // zero: taken from the request's context
	Time      time.Time // zero: now
	Step      Text      // where in the journey, zero hides it
	KindText  Text      // class of cause in plain words
	Developer string    // for the client's developer: code and description; only registered or public facts
	// DeveloperLink is where cause and fix stand; "" hides it.
	DeveloperLink string
}

// NewProblem returns the catalogue's page for kind with its default status. args fill the placeholders named at the constants.
func NewProblem(kind ProblemKind, args Args) ProblemPage {
	say := func(part string) Text { return Say("problem."+string(kind)+"."+part, args) }
	status, ok := problemStatus[kind]
	if !ok {
		status = http.StatusBadRequest
	}
	return ProblemPage{
		Status: status, Kind: kind,
		Title: say("title"), Cause: say("cause"), Safe: say("safe"), Step: say("step"), KindText: say("kind"),
	}
}

var problemStatus = map[ProblemKind]int{
	ProblemProvinceDown: http.StatusBadGateway, ProblemProvinceSlow: http.StatusGatewayTimeout, ProblemForm: http.StatusForbidden,
	ProblemConflict: http.StatusConflict, ProblemOfferGone: http.StatusGone, ProblemNotFound: http.StatusNotFound,
	ProblemProvinceUnknown: http.StatusNotFound, ProblemMethod: http.StatusMethodNotAllowed, ProblemLicence: http.StatusConflict,
	ProblemTooLarge: http.StatusRequestEntityTooLarge, ProblemBusy: http.StatusServiceUnavailable, ProblemLevel: http.StatusForbidden,
	ProblemInternal: http.StatusInternalServerError,
}

// Problem shows an error page and answers with page.Status (400 when that is no error status).
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, page ProblemPage) {
	if page.Status < 400 || page.Status > 599 {
		page.Status = http.StatusBadRequest
	}
	if page.TraceID == "" {
		page.TraceID = p.cfg.Trace(r.Context())
	}
	if page.Time.IsZero() {
		page.Time = p.cfg.Now()
	}
	if page.Next == nil {
		page.Next = Next(NextHome, p.cfg.home())
	}
	p.Render(w, r, page.Status, "problem", page)
}

// NextStep names the wording of a way on.
type NextStep string

// The ways on that the catalogue knows.
const (
	NextRetry      NextStep = "retry"      // 再试一次
	NextChoose     NextStep = "choose"     // 换一个省登录
	NextDepartment NextStep = "department" // 回到办事单位
	NextHome       NextStep = "home"       // 回到首页
	NextLicences   NextStep = "licences"   // 看我的证照
	NextLogin      NextStep = "login"      // 重新登录
	NextOffer      NextStep = "offer"      // 重新生成
	NextBack       NextStep = "back"       // 返回
)

// Next returns an action with the catalogue's wording, for ProblemPage.Next, ProblemPage.Others and LoggedOutPage.Next.
func Next(step NextStep, href string) *Action {
	return &Action{Label: Say("action."+string(step), nil), Href: href}
}
