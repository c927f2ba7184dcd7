package counter

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// Most rows of a page and of a file.
const (
	maxRows    = 200
	maxCSVRows = 100_000
)

func plainInt(n int64) web.Text { return web.Plain(strconv.FormatInt(n, 10)) }

var receiptForm = regexp.MustCompile(`^V-[0-9A-Z]{4}-[0-9A-Z]{4}$`)

// stored finds the check of the URL. It answers itself when it returns false.
func (c *Counter) stored(w http.ResponseWriter, r *http.Request) (Check, bool) {
	no := mux.Vars(r)["receipt"]
	if !receiptForm.MatchString(no) {
		c.problem(w, r, web.ProblemNotFound)
		return Check{}, false
	}
	rec, err := c.cfg.Store.Get(r.Context(), no)
	switch {
	case errors.Is(err, ErrNotFound):
		c.problem(w, r, web.ProblemNotFound)
		return Check{}, false
	case err != nil:
		c.fault(w, r, err)
		return Check{}, false
	}
	return rec, true
}

// receipt shows the record of a check, as it is printed.
func (c *Counter) receipt(w http.ResponseWriter, r *http.Request) {
	rec, ok := c.stored(w, r)
	if !ok {
		return
	}
	page := counterpages.ReceiptPage{Receipt: rec.Receipt, Base: Path, Reason: reasonText(rec.Reason),
		Block: counterpages.Block{Outcome: counterpages.Outcome(rec.Verdict), Word: word(rec.Verdict), About: []web.Text{headline(reasonText(rec.Reason))}}}
	if !rec.Type.IsZero() {
		page.Block.About = []web.Text{rec.Type, headline(reasonText(rec.Reason))}
	}
	page.Record = append(page.Record, web.Fact{Label: web.Say("counter.by", nil), Value: c.cfg.Department})
	if !rec.Issuer.IsZero() {
		page.Record = append(page.Record, web.Fact{Label: web.Say("counter.issuer", nil), Value: rec.Issuer}, web.Fact{Label: web.Say("counter.code", nil), Value: web.Plain(rec.IssuerCode)})
	}
	page.Record = append(page.Record, c.facts(rec, sheets{})...)
	if rec.Person != "" {
		page.Record = append(page.Record, web.Fact{Label: web.Say("counter.person", nil), Value: personText(rec.Person)})
	}
	c.cfg.Pages.Receipt(w, r, page)
}

func personText(person string) web.Text {
	if person == "same" {
		return web.Say("counter.person.same", nil)
	}
	return web.Say("counter.person.other", nil)
}

// person keeps what the clerk saw: the same person, or another. It is said once.
func (c *Counter) person(w http.ResponseWriter, r *http.Request) {
	fields, _, ok := c.form(w, r)
	if !ok {
		return
	}
	rec, ok := c.stored(w, r)
	if !ok {
		return
	}
	person := fields["person"]
	if person != "same" && person != "other" {
		c.problem(w, r, web.ProblemForm)
		return
	}
	err := c.cfg.Tx(r.Context(), func(ctx context.Context) error {
		if err := c.cfg.Store.SetPerson(ctx, rec.Receipt, person); err != nil {
			return err
		}
		return c.cfg.Audit(ctx, audit.Event{Kind: "counter.person_compared", Actor: c.cfg.Code, Subject: rec.Receipt, Detail: map[string]string{"person": person}})
	})
	if err != nil && !errors.Is(err, ErrSaid) { // said before: the record shows what
		c.fault(w, r, err)
		return
	}
	http.Redirect(w, r, Path+"/receipts/"+rec.Receipt, http.StatusSeeOther)
}

// filter reads the filter of a list; what isn't one selects nothing.
func filter(q url.Values) (f Filter, day string) {
	switch v := q.Get("verdict"); verify.Outcome(v) {
	case verify.Valid, verify.Invalid, verify.CannotTell:
		f.Verdict = v
	}
	if t, err := time.ParseInLocation(time.DateOnly, q.Get("day"), web.Beijing); err == nil && t.Year() > 1970 && t.Year() < 2200 {
		f.From, f.To, day = t, t.AddDate(0, 0, 1), t.Format(time.DateOnly)
	}
	return f, day
}

// history lists the checks, newest first.
func (c *Counter) history(w http.ResponseWriter, r *http.Request) {
	f, day := filter(r.URL.Query())
	f.Limit = maxRows + 1
	checks, err := c.cfg.Store.List(r.Context(), f)
	if err != nil {
		c.fault(w, r, err)
		return
	}
	page := counterpages.HistoryPage{Verdict: f.Verdict, Day: day, Full: len(checks) > maxRows, Base: Path}
	link := func(path, verdict string) string {
		q := url.Values{}
		for name, v := range map[string]string{"verdict": verdict, "day": day} {
			if v != "" {
				q.Set(name, v)
			}
		}
		return path + "?" + q.Encode()
	}
	page.CSV = link(Path+"/history.csv", f.Verdict)
	page.Choices = append(page.Choices, counterpages.Choice{Name: web.Say("counter.all", nil), Href: link("", ""), Current: f.Verdict == ""})
	for _, v := range []verify.Outcome{verify.Valid, verify.Invalid, verify.CannotTell} {
		page.Choices = append(page.Choices, counterpages.Choice{Name: word(string(v)), Href: link("", string(v)), Current: f.Verdict == string(v)})
	}
	for _, rec := range checks[:min(len(checks), maxRows)] {
		page.Rows = append(page.Rows, counterpages.HistoryRow{Outcome: counterpages.Outcome(rec.Verdict), Word: word(rec.Verdict), Type: rec.Type, Issuer: rec.Issuer, At: rec.At,
			Receipt: rec.Receipt, Href: Path + "/receipts/" + rec.Receipt, Reason: headline(reasonText(rec.Reason)), More: counterpages.Stamp(rec.At)})
	}
	c.cfg.Pages.History(w, r, page)
}

// historyCSV is the same list for a file: codes and times as programs read them.
func (c *Counter) historyCSV(w http.ResponseWriter, r *http.Request) {
	f, _ := filter(r.URL.Query())
	f.Limit = maxCSVRows
	checks, err := c.cfg.Store.List(r.Context(), f)
	if err != nil {
		c.fault(w, r, err)
		return
	}
	out := httpx.NewCSV(w, "hufu-counter.csv")
	out.Row("receipt", "time", "verdict", "reason", "type", "type_zh", "issuer", "issuer_zh", "mode", "purpose", "source", "bundle_version", "bundle_as_of", "status_as_of", "person")
	for _, rec := range checks {
		out.Row(rec.Receipt, stamp(rec.At), rec.Verdict, rec.Reason, rec.VCT, rec.Type.ZH, rec.IssuerCode, rec.Issuer.ZH, string(rec.Mode), rec.Purpose, string(rec.Source),
			strconv.FormatInt(rec.BundleVersion, 10), stamp(rec.BundleAsOf), stamp(rec.StatusAsOf), rec.Person)
	}
	out.Flush()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(web.Beijing).Format(time.RFC3339)
}

// reasonText is a reason in words: the verifier's, or one of ours.
func reasonText(reason string) web.Text {
	switch reason {
	case reasonUnreachable:
		return web.Say("counter.unreachable", nil)
	case reasonGone:
		return web.Say("counter.gone", nil)
	}
	zh, en := verify.ReasonWords(reason)
	return web.Text{ZH: zh, EN: en}
}
