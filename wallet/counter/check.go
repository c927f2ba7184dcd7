package counter

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/web"
)

// Reasons of this counter beside the verifier's: no presentation came to be judged.
const (
	reasonUnreachable = "link_unreachable"
	reasonGone        = "link_gone"
)

// reasonUsed is the verifier's for an answer that was accepted before.
const reasonUsed = "challenge_used"

// check takes what the clerk put in and shows the verdict.
func (c *Counter) check(w http.ResponseWriter, r *http.Request) {
	fields, files, ok := c.form(w, r)
	if !ok {
		return
	}
	ctx := r.Context()
	text, source, err := c.presentation(ctx, fields["input"], files["file"])
	switch {
	case errors.Is(err, errNothing):
		c.askPage(w, r, http.StatusBadRequest, fields["request"], web.Say("counter.err.nothing", nil))
		return
	case errors.Is(err, errTwo):
		c.askPage(w, r, http.StatusBadRequest, fields["request"], web.Say("counter.err.two", nil))
		return
	case errors.Is(err, errOtherLink):
		c.askPage(w, r, http.StatusBadRequest, fields["request"], web.Say("counter.err.link", web.Args{"origin": web.Plain(c.cfg.National)}))
		return
	case errors.Is(err, errUnreachable):
		c.unopened(w, r, reasonUnreachable)
		return
	case errors.Is(err, errLinkGone):
		c.unopened(w, r, reasonGone)
		return
	}
	verdict, rec, err := c.judge(ctx, text, fields["nonce"], source)
	if err != nil {
		c.fault(w, r, err)
		return
	}
	c.verdictPage(w, r, verdict, rec)
}

// question is the challenge that a presentation is held against, and the claim that makes an answer to it count once.
type question struct {
	challenge verify.Challenge
	mode      Mode
	purpose   string
	claim     string
}

// question finds the challenge that the proof may answer: one of ours by its own nonce, a purpose by its audience, else the one of the page, which a foreign answer
// then doesn't fit. An mdoc doesn't say what it answers, so it is held against the page's. Nothing that is read here is proven; the verifier compares.
func (c *Counter) question(text, own string, now time.Time) question {
	if !c.nonces.ours(own, now) {
		own = c.nonces.make(now)
	}
	q := question{challenge: verify.Challenge{Nonce: own, Audience: c.audience, Purposes: c.purposes}, mode: ModeNone}
	if verify.IsMdoc(text) {
		q.challenge.Purposes, q.mode, q.claim = nil, ModeAsked, "nonce "+own
		return q
	}
	parsed, err := sdjwt.Parse(strings.Trim(text, " \t\r\n"))
	if err != nil {
		return q
	}
	b, ok := parsed.UnverifiedBinding()
	if !ok {
		return q
	}
	switch {
	case slices.Contains(c.purposes, b.Audience):
		q.mode, q.claim = ModeUnasked, "proof "+b.Signed
		q.purpose = strings.TrimPrefix(b.Audience, c.cfg.National+"/purposes/")
	case c.nonces.ours(b.Nonce, now):
		q.challenge.Nonce, q.mode, q.claim = b.Nonce, ModeAsked, "nonce "+b.Nonce
	}
	return q
}

// judge verifies and records. A valid answer is claimed in the transaction of its record: of any number that come with one proof, one is valid. What isn't valid
// claims nothing, so that somebody who reads the code over a shoulder can't use the challenge up with junk, and a clerk who had to fetch a bundle first can check again.
func (c *Counter) judge(ctx context.Context, text, own string, source Source) (verify.Verdict, Check, error) {
	now := c.cfg.Now()
	q := c.question(text, own, now)
	verifier, first := c.verify(ctx, text, q.challenge, now)
	var verdict verify.Verdict
	var rec Check
	err := c.cfg.Tx(ctx, func(ctx context.Context) error {
		verdict = first
		if verdict.Outcome() == verify.Valid {
			err := c.cfg.ClaimOnce(ctx, "counter", q.claim, now.Add(claimLife))
			if err != nil && !errors.Is(err, c.cfg.Lost) {
				return err
			}
			if err != nil {
				used := q.challenge
				used.Used = true
				verdict = verifier.Verify(text, used, now)
			}
		}
		rec = c.recordOf(verdict, q, source)
		return c.keep(ctx, &rec)
	})
	return verdict, rec, err
}

// A licence that was taken a moment ago is in the next bundle, which the national server publishes within seconds: the clerk waits for it rather than hears "cannot
// tell". A server that can't be reached is not waited for.
const (
	freshTries = 5
	freshPause = 600 * time.Millisecond
)

// verify judges by the copy at hand and, where a newer bundle could help, by the newest that there is.
func (c *Counter) verify(ctx context.Context, text string, q verify.Challenge, now time.Time) (*verify.Verifier, verify.Verdict) {
	v := c.trust.verifier()
	verdict := v.Verify(text, q, now)
	for try := 0; try < freshTries && verdict.Outcome() == verify.CannotTell && verify.NewerBundleHelps(verdict); try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return v, verdict
			case <-time.After(freshPause):
			}
		}
		if !c.fetchNow(ctx) {
			break
		}
		v = c.trust.verifier()
		verdict = v.Verify(text, q, now)
	}
	return v, verdict
}

// fetchNow asks for a newer bundle while a clerk waits. After a failure the next checks don't wait for half a minute.
func (c *Counter) fetchNow(ctx context.Context) bool {
	if last := c.trust.last.Load(); last != nil && last.trouble == "unreachable" && c.cfg.Now().Sub(last.at) < 30*time.Second {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return c.Refresh(ctx) == nil
}

// keep writes the record under a new receipt number, and its audit event.
func (c *Counter) keep(ctx context.Context, rec *Check) error {
	for {
		rec.Receipt = newReceipt()
		err := c.cfg.Store.Insert(ctx, *rec)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return err
		}
		return c.cfg.Audit(ctx, audit.Event{At: rec.At, Kind: "counter.checked", Actor: c.cfg.Code, Subject: rec.Receipt, Client: c.cfg.ClientID,
			Detail: map[string]string{"verdict": rec.Verdict, "reason": rec.Reason, "mode": string(rec.Mode)}})
	}
}

// recordOf is what is kept of a verdict. The type is text of whoever made the credential until the bundle knows it.
func (c *Counter) recordOf(v verify.Verdict, q question, source Source) Check {
	zh, en := v.Sheet("zh"), v.Sheet("en")
	rec := Check{At: v.At(), Verdict: string(v.Outcome()), Reason: v.Reason(), Mode: q.mode, Purpose: q.purpose, Source: source}
	if zh.Type != "" {
		rec.VCT, rec.Type = v.VCT(), web.Text{ZH: zh.Type, EN: en.Type}
	}
	if i, ok := v.Issuer(); ok {
		rec.IssuerCode, rec.Issuer = i.Code, web.Text{ZH: zh.Issuer, EN: en.Issuer}
	}
	if b, ok := v.Bundle(); ok {
		rec.BundleVersion, rec.BundleAsOf = b.Version, b.At
	}
	if s, ok := v.Status(); ok {
		rec.StatusAsOf = s.At
	}
	return rec
}

// unopened is the answer when a link led to no presentation: nobody can tell, and the clerk learns what else works.
func (c *Counter) unopened(w http.ResponseWriter, r *http.Request, reason string) {
	rec := Check{At: c.cfg.Now().UTC(), Verdict: string(verify.CannotTell), Reason: reason, Mode: ModeNone, Source: SourceLink}
	if b := c.trust.contents(); b != nil {
		rec.BundleVersion, rec.BundleAsOf = b.Version, b.AsOf
	}
	if err := c.cfg.Tx(r.Context(), func(ctx context.Context) error { return c.keep(ctx, &rec) }); err != nil {
		c.fault(w, r, err)
		return
	}
	c.unopenedPage(w, r, rec)
}

// receiptAlphabet has no letter that is read as a digit (Crockford's base 32).
const receiptAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newReceipt returns a number that can be told on the phone: 40 random bits.
func newReceipt() string {
	b := random(8)
	for i := range b {
		b[i] = receiptAlphabet[b[i]&31]
	}
	return "V-" + string(b[:4]) + "-" + string(b[4:])
}
