package report

import (
	"fmt"
	"maps"
)

// fine says that a check passed; some mean another thing for a sealed file.
func (t *textWriter) fine(v Report, name CheckName) string {
	if s := t.w["ok_sealed_"+string(name)]; v.Sealed && s != "" {
		return s
	}
	return t.w["ok_"+string(name)]
}

// sealFacts tells which seal it is, of whom, who made it, when it was used by the signer's own word, and its state then and now.
func (t *textWriter) sealFacts(v Report) {
	s := v.Seal
	if s == nil {
		t.row(t.w["seal"], t.w["seal_unproven"])
		return
	}
	t.row(t.w["seal"], printable(s.Name)+"  "+t.word("kind_", s.Kind))
	t.row(t.w["seal_id"], printable(s.ID))
	t.row(t.w["owner"], printable(s.Owner.Name)+"  "+printable(s.Owner.Code))
	t.row(t.w["maker"], t.local(v.Issuer.Name)+"  "+printable(v.Issuer.Code))
	t.row(t.w["document"], t.word("document_", s.DocumentKind))
	t.row(t.w["sealed_at"], fmt.Sprintf(t.w["claimed"], t.clock(s.Claimed)))
	t.row(t.w["state_then"], t.word("state_", s.StateThen))
	now := t.word("state_", s.StateNow)
	if s.StateNow != "" && s.StateNow != s.StateThen {
		now = fmt.Sprintf(t.w["state_since"], now, t.clock(s.Since))
	}
	t.row(t.w["state_now"], now)
}

// word is a code in words, or the code itself.
func (t *textWriter) word(prefix, code string) string {
	if s := t.w[prefix+code]; s != "" {
		return s
	}
	if code == "" {
		return t.w["not_known"]
	}
	return printable(code)
}

// sealSteps is what to do next with a sealed file.
func (v Report) sealSteps() []string {
	switch v.Word() {
	case Valid:
		return []string{"step_seal_read", "step_seal_time"}
	case Invalid:
		switch v.Reason {
		case ReasonDigest:
			return []string{"step_seal_original", "step_do_not_accept"}
		case ReasonNotActiveThen, ReasonKindNotAllowed, ReasonSealDates:
			return []string{"step_do_not_accept", "step_ask_owner"}
		}
		return []string{"step_do_not_accept", "step_ask_owner"}
	}
	switch v.Reason {
	case ReasonSuspendedSince, ReasonCancelledSince:
		return []string{"step_ask_owner_again", "step_ask_owner", "step_not_invalid"}
	case ReasonClockBehind, ReasonClockUnsure:
		return []string{"step_set_clock", "step_not_invalid"}
	}
	return []string{"step_new_bundle", "step_usb", "step_not_invalid"}
}

// init adds the words for sealed files to the others.
func init() {
	for lang, more := range sealWords {
		maps.Copy(words[lang], more)
	}
}
