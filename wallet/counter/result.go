package counter

import (
	"cmp"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// sheets are a verdict's parts in both languages.
type sheets struct{ zh, en verify.Sheet }

func sheetsOf(v verify.Verdict) sheets { return sheets{v.Sheet("zh"), v.Sheet("en")} }

// verdictPage shows a verdict with all that explains it.
func (c *Counter) verdictPage(w http.ResponseWriter, r *http.Request, v verify.Verdict, rec Check) {
	s := sheetsOf(v)
	page := counterpages.VerdictPage{Block: c.block(rec, s), Reason: web.Text{ZH: s.zh.Reason, EN: s.en.Reason}, Receipt: rec.Receipt, CSRF: c.formToken(), Base: Path,
		Issuer: rec.Issuer, IssuerCode: rec.IssuerCode, Record: c.facts(rec, s)}
	for i, shown := range s.zh.Shown {
		page.Shown = append(page.Shown, web.Fact{Label: web.Text{ZH: shown.Label, EN: s.en.Shown[i].Label}, Value: claimValue(shown.Name, cmp.Or(shown.Picture, shown.Value))})
	}
	for i, hidden := range s.zh.Hidden {
		page.Hidden = append(page.Hidden, web.Text{ZH: hidden, EN: s.en.Hidden[i]})
	}
	for i, j := range s.zh.Checks {
		row := counterpages.CheckRow{Result: string(j.Result), Label: web.Text{ZH: j.Label, EN: s.en.Checks[i].Label}, Said: web.Text{ZH: j.Said, EN: s.en.Checks[i].Said}}
		if j.Name == verify.CheckStatus {
			row.Age = web.Text{ZH: j.Age, EN: s.en.Checks[i].Age}
		}
		page.Checks = append(page.Checks, row)
	}
	for i, step := range s.zh.Steps {
		page.Steps = append(page.Steps, c.step(step.ID, web.Text{ZH: step.Text, EN: s.en.Steps[i].Text})...)
	}
	if v.Reason() == reasonUsed { // the most likely one did nothing worse than reload the page
		page.Steps = append(page.Steps, counterpages.Step{Text: web.Say("counter.step.reloaded", nil), Link: web.Say("counter.nav.history", nil), Href: Path + "/history"})
	}
	for _, cert := range v.TrustPath() {
		until, _ := time.Parse(time.RFC3339, cert.NotAfter)
		page.Path = append(page.Path, counterpages.Node{Name: cert.Subject, Until: until})
	}
	if v.Outcome() == verify.Valid {
		page.Person = Path + "/receipts/" + rec.Receipt + "/person"
		page.Old = c.oldKnowledge(rec)
	}
	c.cfg.Pages.Verdict(w, r, page)
}

// block is the verdict word and what it is about: the type, the person's own name when it was shown, the purpose, or what went wrong.
func (c *Counter) block(rec Check, s sheets) counterpages.Block {
	b := counterpages.Block{Outcome: counterpages.Outcome(rec.Verdict), Word: word(rec.Verdict)}
	if !rec.Type.IsZero() {
		b.About = append(b.About, rec.Type)
	}
	for _, shown := range s.zh.Shown {
		if shown.Name == "name" {
			b.About = append(b.About, web.Text{ZH: shown.Value})
		}
	}
	if rec.Mode == ModeUnasked && rec.Verdict == string(verify.Valid) {
		b.About = append(b.About, web.Say("counter.only", web.Args{"purpose": c.purposeName(rec.Purpose)}))
	}
	if rec.Verdict != string(verify.Valid) {
		b.About = append(b.About, headline(web.Text{ZH: s.zh.Reason, EN: s.en.Reason}))
	}
	return b
}

// word is the verdict in the words of the verifier; English in the case of a sentence.
func word(verdict string) web.Text {
	zh, en := verify.Words(verify.Outcome(verdict))
	return web.Text{ZH: zh, EN: strings.ToUpper(en[:1]) + strings.ToLower(en[1:])}
}

// headline is a sentence without its full stop.
func headline(t web.Text) web.Text {
	return web.Text{ZH: strings.TrimSuffix(t.ZH, "。"), EN: strings.TrimSuffix(t.EN, ".")}
}

// step adds the page where something is done; the steps of the command line that make no sense here are replaced.
func (c *Counter) step(id string, text web.Text) []counterpages.Step {
	switch id {
	case "step_new_bundle", "step_usb":
		return []counterpages.Step{{Text: text, Link: web.Say("counter.nav.bundle", nil), Href: Path + "/bundle"}}
	case "step_ask_proof":
		return []counterpages.Step{{Text: web.Say("counter.step.ask", nil), Link: web.Say("counter.newcode", nil), Href: Path}}
	case "step_holder_any", "step_compare_person": // the page has a part of its own for the person
		return nil
	case "step_show_again":
		return []counterpages.Step{{Text: text, Link: web.Say("counter.newcode", nil), Href: Path}}
	}
	return []counterpages.Step{{Text: text}}
}

// facts are the record as its ledger shows it; s is zero for a record that was read back.
func (c *Counter) facts(rec Check, s sheets) []web.Fact {
	facts := []web.Fact{{Label: web.Say("counter.at", nil), Value: counterpages.Stamp(rec.At)}, {Label: web.Say("counter.how", nil), Value: modeText(rec.Mode)}}
	if rec.Purpose != "" {
		facts = append(facts, web.Fact{Label: web.Say("counter.purpose", nil), Value: c.purposeName(rec.Purpose)})
	}
	asOf := func(label web.Text, at time.Time, zh, en string) {
		value := counterpages.Stamp(at)
		if zh != "" {
			value = web.Text{ZH: value.ZH + "，" + zh, EN: value.EN + ", " + en}
		}
		if !at.IsZero() {
			facts = append(facts, web.Fact{Label: label, Value: value})
		}
	}
	asOf(web.Say("counter.list.asof", nil), rec.StatusAsOf, s.zh.StatusAge, s.en.StatusAge)
	asOf(web.Say("counter.bundle.asof", nil), rec.BundleAsOf, s.zh.BundleAge, s.en.BundleAge)
	for i, note := range s.zh.Notes {
		facts = append(facts, web.Fact{Label: web.Say("counter.note", nil), Value: web.Text{ZH: note, EN: s.en.Notes[i]}})
	}
	return facts
}

func modeText(m Mode) web.Text {
	switch m {
	case ModeAsked:
		return web.Say("counter.mode.asked", nil)
	case ModeUnasked:
		return web.Say("counter.mode.unasked", nil)
	}
	return web.Say("counter.mode.none", nil)
}

// oldKnowledge warns when bundle or list are older than the department likes; the bundle's own limits are the verifier's.
func (c *Counter) oldKnowledge(rec Check) web.Text {
	oldest := rec.BundleAsOf
	if !rec.StatusAsOf.IsZero() && rec.StatusAsOf.Before(oldest) {
		oldest = rec.StatusAsOf
	}
	if rec.At.Sub(oldest) < c.cfg.OldAfter {
		return web.Text{}
	}
	return web.Say("counter.old.text", web.Args{"at": counterpages.Stamp(oldest)})
}

// claimValue writes a claim for people: dates in full, the words of codes, a person's name as Chinese.
func claimValue(name, value string) web.Text {
	switch {
	case name == "sex":
		return web.ClaimValue("gender", value)
	case strings.HasSuffix(name, "date") || name == "valid_from" || name == "valid_to":
		return web.ISODate(value)
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.Is(unicode.Han, r) }):
		return web.Text{ZH: value}
	}
	return web.Picture(value)
}

// unopenedPage is the page of a link that led to nothing.
func (c *Counter) unopenedPage(w http.ResponseWriter, r *http.Request, rec Check) {
	reason, steps := web.Say("counter.unreachable", nil), []web.Text{web.Say("counter.unreachable.text", nil), web.Say("counter.unreachable.file", nil), web.Say("counter.paper", nil)}
	if rec.Reason == reasonGone {
		reason, steps = web.Say("counter.gone", nil), []web.Text{web.Say("counter.gone.again", nil), web.Say("counter.paper", nil)}
	}
	page := counterpages.VerdictPage{Block: counterpages.Block{Outcome: counterpages.Outcome(rec.Verdict), Word: word(rec.Verdict), About: []web.Text{reason}},
		Reason: reason, Receipt: rec.Receipt, Record: c.facts(rec, sheets{}), Base: Path}
	for _, s := range steps {
		page.Steps = append(page.Steps, counterpages.Step{Text: s})
	}
	page.Steps[0].Link, page.Steps[0].Href = web.Say("counter.newcode", nil), Path
	c.cfg.Pages.Verdict(w, r, page)
}
