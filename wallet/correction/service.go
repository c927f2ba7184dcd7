package correction

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/correctionpages"
)

// sealed is the part of a report that is encrypted at rest.
type sealed struct {
	Field string `json:"f"`
	Text  string `json:"t"`
}

func reportPurpose(id string) string { return "correction/report/" + id }
func answerPurpose(id string) string { return "correction/answer/" + id }

// digest knows the same report again. Without the key, what somebody reported could be found by trying.
func (s *Service) digest(parts ...string) string {
	mac := hmac.New(sha256.New, s.cfg.IndexKey)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p) // lengths keep ("ab","c") and ("a","bc") apart
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Report takes a report of the person's own licence, which the caller looked up, and returns its id. The same report once more, while the
// first is open, is the first. ErrTooMany, ErrInvalid.
func (s *Service) Report(ctx context.Context, personID string, l Licence, field, text string) (string, error) {
	if field != FieldOther && !slices.ContainsFunc(l.Entries, func(e Entry) bool { return e.Name == field }) {
		return "", fmt.Errorf("%w: the licence has no such entry", ErrInvalid)
	}
	text, err := cleanText(text)
	if err != nil {
		return "", err
	}
	now := s.cfg.Now()
	r := Record{ID: audit.NewID(now), LicenceID: l.ID, Authority: l.Authority, PersonID: personID, State: Open, ReportedAt: now,
		Digest: s.digest(personID, l.ID, field, text)}
	if r.Sealed, err = s.cfg.Sealer.Seal(reportPurpose(r.ID), sealed{field, text}); err != nil {
		return "", fmt.Errorf("correction: sealing: %w", err)
	}
	var id string
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		if id, err = s.cfg.Store.Insert(ctx, r); err != nil || id != r.ID {
			return err
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "correction.reported", Actor: personID, Subject: l.ID, Detail: map[string]string{"report": id}})
	})
	return id, err
}

// maxOwn is how many of her reports a person sees: the newest.
const maxOwn = 200

// Of lists the reports of a person, the newest first.
func (s *Service) Of(ctx context.Context, personID string) ([]Report, error) {
	return s.read(ctx, Filter{PersonID: personID, Newest: true, Limit: maxOwn})
}

// Query lists reports of one authority.
type Query struct {
	Authority string
	// State is Open, Answered, or empty for both.
	State State
	// After continues after this report. Limit is 1 to 200; 0 means 50.
	After string
	Limit int
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

// List returns reports of one authority, the oldest first: who waits longest is read first.
func (s *Service) List(ctx context.Context, q Query) ([]Report, error) {
	switch {
	case q.Authority == "":
		return nil, fmt.Errorf("%w: whose reports?", ErrInvalid)
	case q.State != "" && q.State != Open && q.State != Answered:
		return nil, fmt.Errorf("%w: state must be open or answered", ErrInvalid)
	case q.After != "" && !plausibleID(q.After):
		return nil, fmt.Errorf("%w: after must be a report's id", ErrInvalid)
	case q.Limit < 0 || q.Limit > maxLimit:
		return nil, fmt.Errorf("%w: limit must be 1 to 200", ErrInvalid)
	case q.Limit == 0:
		q.Limit = defaultLimit
	}
	return s.read(ctx, Filter{Authority: q.Authority, State: q.State, After: q.After, Limit: q.Limit})
}

// Answer is the authority's answer, which is final: state and audit event move in one transaction or not at all. ErrNotFound for another
// authority's report, ErrAnswered when somebody was faster, ErrInvalid.
func (s *Service) Answer(ctx context.Context, d Department, id string, outcome Outcome, text string) (Report, error) {
	if !slices.Contains(Outcomes, outcome) {
		return Report{}, fmt.Errorf("%w: outcome must be one of corrected, not_wrong, forwarded", ErrInvalid)
	}
	text, err := cleanText(text)
	if err != nil {
		return Report{}, err
	}
	if d.Code == "" || !plausibleID(id) {
		return Report{}, ErrNotFound
	}
	a := Record{ID: id, Authority: d.Code, State: Answered, Outcome: outcome, AnsweredBy: d.ClientID, AnsweredAt: s.cfg.Now()}
	if a.Answer, err = s.cfg.Sealer.Seal(answerPurpose(id), text); err != nil {
		return Report{}, fmt.Errorf("correction: sealing: %w", err)
	}
	var r Record
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Answer(ctx, a); err != nil {
			return err
		}
		if r, err = s.cfg.Store.Get(ctx, d.Code, id); err != nil {
			return err
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "correction.answered", Actor: d.Code, Subject: r.LicenceID, Client: d.ClientID,
			Detail: map[string]string{"report": id, "outcome": string(outcome)}})
	})
	if err != nil {
		return Report{}, err
	}
	return s.open(r)
}

func (s *Service) read(ctx context.Context, f Filter) ([]Report, error) {
	records, err := s.cfg.Store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Report, 0, len(records))
	for _, r := range records {
		opened, err := s.open(r)
		if err != nil {
			return nil, err
		}
		out = append(out, opened)
	}
	return out, nil
}

// open reads what Report and Answer sealed.
func (s *Service) open(r Record) (Report, error) {
	out := Report{ID: r.ID, LicenceID: r.LicenceID, Authority: r.Authority, PersonID: r.PersonID, State: r.State, ReportedAt: r.ReportedAt,
		Outcome: r.Outcome, AnsweredAt: r.AnsweredAt, AnsweredBy: r.AnsweredBy}
	var p sealed
	if err := s.cfg.Sealer.Open(reportPurpose(r.ID), r.Sealed, &p); err != nil {
		return Report{}, fmt.Errorf("correction: opening report: %w", err)
	}
	out.Field, out.Text = p.Field, p.Text
	if r.State == Answered {
		if err := s.cfg.Sealer.Open(answerPurpose(r.ID), r.Answer, &out.Answer); err != nil {
			return Report{}, fmt.Errorf("correction: opening answer: %w", err)
		}
	}
	return out, nil
}

// plausibleID keeps from the database what can't be an identifier: PostgreSQL refuses text that is not UTF-8 or holds a NUL, with an error.
func plausibleID(id string) bool { return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" }

// textError is ErrInvalid with what is wrong with a text.
type textError struct {
	detail string
	// fault is the same for the person.
	fault web.Text
}

func (e *textError) Error() string { return ErrInvalid.Error() + ": " + e.detail }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *textError) Is(target error) bool { return target == ErrInvalid }

// cleanText is a text of people for people: line ends as one newline, no white space around, 1 to MaxText characters, nothing that moves a
// cursor or turns the direction of writing.
func cleanText(s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unreadable):
		return "", &textError{detail: "the text holds control characters, or is not UTF-8", fault: correctionpages.OddText()}
	case n == 0:
		return "", &textError{detail: "the text is missing", fault: correctionpages.NoText()}
	case n > MaxText:
		return "", &textError{detail: fmt.Sprintf("the text has %d characters; %d are the most", n, MaxText), fault: correctionpages.LongText(n-MaxText, MaxText)}
	}
	return s, nil
}

func unreadable(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || isDirection(r))
}

// isDirection finds the characters that reorder what a reader sees (Unicode 15, annex 9, section 2).
func isDirection(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f' || r == '\u061c'
}
