package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Text is the report for a person at a counter: the word first, then who issued it, what was shown and what wasn't, how
// old the knowledge is, every check, and what to do next. lang is "zh" or "en"; anything else is English. Times are Beijing
// time.
func (v Report) Text(lang string) string {
	t := writer(lang)
	t.headline(v)
	t.facts(v)
	t.shown(v)
	t.checks(v)
	t.line("")
	t.line(t.w["next"])
	for _, step := range v.nextSteps() {
		t.line("  - " + t.w[step])
	}
	return t.b.String()
}

type textWriter struct {
	lang string
	w    map[string]string
	b    strings.Builder
}

func writer(lang string) *textWriter {
	if lang == "zh" || strings.HasPrefix(lang, "zh-") {
		return &textWriter{lang: "zh", w: words["zh"]}
	}
	return &textWriter{lang: "en", w: words["en"]}
}

func (t *textWriter) line(s string) {
	t.b.WriteString(strings.TrimRight(s, " "))
	t.b.WriteByte('\n')
}

// row writes a label and a value, the label padded to a column; a Chinese character is two columns wide.
func (t *textWriter) row(label, value string) {
	width := 0
	for _, r := range label {
		width++
		if r > 0x2e7f {
			width++
		}
	}
	t.line("  " + label + strings.Repeat(" ", max(1, 18-width)) + value)
}

func (t *textWriter) headline(v Report) {
	word := t.w[string(v.Word())]
	if t.lang == "zh" {
		word += "  " + words["en"][string(v.Word())]
	}
	if name := t.local(v.TypeName); name != "" {
		word += "  " + name
	}
	t.line(word)
	t.line(t.reason(v.Reason))
	t.line("")
}

func (t *textWriter) facts(v Report) {
	if v.Sealed {
		t.sealFacts(v)
		t.ages(v)
		return
	}
	if v.Issuer != nil {
		t.row(t.w["issuer"], printable(t.local(v.Issuer.Name))+"  "+printable(v.Issuer.Code))
	} else {
		t.row(t.w["issuer"], t.w["issuer_unproven"])
	}
	t.row(t.w["status"], t.status(v))
	t.ages(v)
}

// ages says how old the knowledge is.
func (t *textWriter) ages(v Report) {
	t.row(t.w["bundle"], t.bundle(v))
	t.row(t.w["checked"], t.clock(v.At)+t.w["zone"])
	for _, note := range v.Notes {
		t.row(t.w["note"], t.w[note])
	}
}

func (t *textWriter) shown(v Report) {
	if len(v.Claims) > 0 {
		t.line("")
		t.line(t.w["shown"])
		for _, c := range v.rows() {
			t.row(t.label(v, c.name), printable(plain(c.value)))
		}
	}
	if len(v.Hidden) > 0 {
		labels := make([]string, len(v.Hidden))
		for i, h := range v.Hidden {
			labels[i] = t.hidden(h)
		}
		t.line("")
		t.line(t.w["hidden"] + strings.Join(labels, t.w["comma"]))
	}
}

func (t *textWriter) checks(v Report) {
	t.line("")
	t.line(t.w["checks"])
	for _, c := range v.Checks {
		said := t.reason(c.Reason)
		switch {
		case t.lang == "en" && c.Detail != "":
			said = printable(c.Detail)
		case c.Reason == ReasonOK:
			said = t.fine(v, c.Name)
		}
		text := t.w["result_"+string(c.Result)] + "  " + said
		t.row(t.w["check_"+string(c.Name)], text)
	}
	if len(v.Path) > 0 {
		names := make([]string, len(v.Path))
		for i, c := range v.Path {
			names[i] = printable(c.Subject)
		}
		t.row(t.w["path"], strings.Join(names, " > "))
	}
}

func (t *textWriter) reason(code string) string {
	if s := t.w["reason_"+code]; s != "" {
		return s
	}
	return code
}

func (t *textWriter) local(text map[string]string) string {
	if s := text[t.lang]; s != "" {
		return printable(s)
	}
	for _, lang := range []string{"zh", "en"} {
		if s := text[lang]; s != "" {
			return printable(s)
		}
	}
	return ""
}

func (t *textWriter) clock(at time.Time) string {
	return at.In(Beijing).Format("2006-01-02 15:04:05")
}

// age says how old something is, coarsely: a clerk needs "3 days", not seconds.
func (t *textWriter) age(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf(t.w["age_ahead"], t.span(-d))
	}
	return fmt.Sprintf(t.w["age"], t.span(d))
}

func (t *textWriter) span(d time.Duration) string {
	unit, n := "days", int(d/(24*time.Hour))
	switch {
	case d < time.Minute:
		unit, n = "seconds", int(d/time.Second)
	case d < 2*time.Hour:
		unit, n = "minutes", int(d/time.Minute)
	case d < 48*time.Hour:
		unit, n = "hours", int(d/time.Hour)
	}
	said := fmt.Sprintf(t.w[unit], n)
	if n == 1 && t.lang == "en" {
		said = strings.TrimSuffix(said, "s")
	}
	return said
}

// nextSteps is what the clerk does now, by outcome and reason. Nobody is left alone with "cannot tell".
func (v Report) nextSteps() []string {
	if v.Sealed {
		return v.sealSteps()
	}
	switch v.Word() {
	case Valid:
		steps := []string{"step_compare_person"}
		switch v.Check(CheckHolder).Reason {
		case ReasonNotAsked:
			steps = append(steps, "step_document_only")
		case ReasonUnasked:
			steps = append(steps, "step_shown_unasked")
		}
		return steps
	case Invalid:
		switch v.Reason {
		case ReasonRevoked, ReasonSuspended:
			return []string{"step_not_in_force", "step_ask_authority", "step_keep_nothing"}
		case ReasonExpired, ReasonTermOver, ReasonNotYet:
			return []string{"step_refresh_wallet", "step_keep_nothing"}
		case ReasonOtherAnswer, ReasonWrongProof, ReasonProofNotFrom, ReasonUsed:
			return []string{"step_show_again", "step_do_not_accept"}
		}
		return []string{"step_do_not_accept", "step_ask_authority", "step_keep_nothing"}
	}
	switch v.Reason {
	case ReasonNoBundle, ReasonStaleBundle, ReasonOldBundle, ReasonListMissing, ReasonListExpired, ReasonListOld,
		ReasonListUntrusted, ReasonUnknownIssuer, ReasonTypeUnknown:
		return []string{"step_new_bundle", "step_usb", "step_paper"}
	case ReasonClockBehind, ReasonClockUnsure, ReasonListFuture:
		return []string{"step_set_clock", "step_paper"}
	case ReasonNoProof, ReasonNoChallenge, ReasonUnbound:
		return []string{"step_ask_proof", "step_holder_any", "step_paper"}
	}
	return []string{"step_paper"}
}

// plain writes a claim's value for reading.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return picture(v)
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = plain(e)
		}
		return strings.Join(parts, ", ")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// picture says that a claim is a picture; other text stays as it is.
func picture(s string) string {
	kind, data, is := strings.Cut(strings.TrimPrefix(s, "data:"), ";base64,")
	if !is || !strings.HasPrefix(s, "data:image/") {
		return s
	}
	return fmt.Sprintf("[%s, %d KB]", kind, max(1, (len(data)*3/4+512)/1024))
}

// dataURL is a picture of a type without scripts, whole and nothing after it.
var dataURL = regexp.MustCompile(`^data:image/(jpeg|png);base64,[A-Za-z0-9+/]+={0,2}$`)

// drawable returns a claim that is a picture, and "" for any other.
func drawable(v any) string {
	if s, ok := v.(string); ok && dataURL.MatchString(s) {
		return s
	}
	return ""
}

// printable keeps foreign text from steering the terminal or turning the reading direction: escape sequences and
// direction marks become a visible replacement, and long values are cut.
func printable(s string) string {
	const limit = 200
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}
