package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// statusList is what became of one list of the bundle, whatever the time.
type statusList struct {
	token statuslist.Token
	err   error
}

// maxLists bounds the inflated lists that are remembered, so that the whole nation's don't fill a counter's memory.
const maxLists = 256

var errListMissing = errors.New("the bundle hasn't got it")

// list verifies and inflates a status list, or remembers it.
func (v *Verifier) list(uri string) *statusList {
	v.mu.Lock()
	l := v.lists[uri]
	v.mu.Unlock()
	if l != nil {
		return l
	}
	text, asJWT := v.contents.StatusLists[uri]
	binary, asCWT := v.contents.CWTLists[uri]
	if !asJWT && !asCWT {
		return &statusList{err: errListMissing} // not remembered: a hostile presentation may name any
	}
	var forms []form
	if asJWT {
		forms = append(forms, readForm(func() (statuslist.ParsedToken, error) { return statuslist.ParseToken(text) }))
	}
	if asCWT {
		forms = append(forms, readForm(func() (statuslist.ParsedToken, error) { return statuslist.ParseCWT(binary) }))
	}
	l = v.openForms(uri, forms)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.lists) >= maxLists {
		clear(v.lists)
	}
	v.lists[uri] = l
	return l
}

// form is one form of a list, JWT or CWT.
type form struct {
	parsed statuslist.ParsedToken
	err    error
}

func readForm(parse func() (statuslist.ParsedToken, error)) form {
	p, err := parse()
	return form{p, err}
}

// openForms opens the newer of a list's two forms, which are published one after the other, or the one that can be believed.
func (v *Verifier) openForms(uri string, forms []form) *statusList {
	slices.SortStableFunc(forms, func(a, b form) int { return b.parsed.IssuedAt().Compare(a.parsed.IssuedAt()) })
	l := &statusList{}
	for _, f := range forms {
		if l.err = f.err; l.err == nil {
			l.token, l.err = v.openList(uri, f.parsed)
		}
		if l.err == nil {
			break
		}
	}
	return l
}

// openList checks the token's chain at the time that it was signed: how long it may be used is for its exp to say, and
// that it is no backdated one is vouched for by the bundle around it.
func (v *Verifier) openList(uri string, parsed statuslist.ParsedToken) (statuslist.Token, error) {
	if len(parsed.X5C()) == 0 {
		return statuslist.Token{}, errors.New("no certificate chain")
	}
	c := v.chains.Of(parsed.X5C(), trust.Status, parsed.Alg(), parsed.IssuedAt())
	switch {
	case c.Err != nil:
		return statuslist.Token{}, errors.New("no path to an anchor for status")
	case !c.Path.Covers(parsed.IssuedAt()):
		return statuslist.Token{}, trust.ErrWindow
	case c.Key.IsZero():
		return statuslist.Token{}, errors.New("the certificate's key doesn't fit the algorithm")
	}
	return parsed.Verify(uri, c.Key)
}

// checkStatus looks the credential up in its status list.
func (r *run) checkStatus() Check {
	if r.v.contents == nil {
		return unknown(report.ReasonNoBundle, "status lists are in the bundle")
	}
	ref, present, err := statuslist.ParseReference(r.claims)
	switch {
	case err != nil:
		return fail(report.ReasonStatusMalformed, "the credential's own reference to its status list is broken")
	case !present && r.v.policy.AllowNoStatus:
		return pass("names no status list, which the policy allows")
	case !present:
		return unknown(report.ReasonNoStatus, "the credential names no status list")
	}
	l := r.v.list(ref.URI)
	switch {
	case errors.Is(l.err, errListMissing):
		return unknown(report.ReasonListMissing, "the bundle has no status list for it").AsAt(r.v.contents.AsOf)
	case l.err != nil:
		return unknown(report.ReasonListUntrusted, "the status list in the bundle can't be believed: "+l.err.Error())
	}
	value, err := l.token.List().At(ref.Index)
	if err != nil {
		return fail(report.ReasonIndex, "the status list has no such entry").AsAt(l.token.IssuedAt())
	}
	asOf := l.token.IssuedAt()
	r.status = &report.Status{URI: ref.URI, Index: ref.Index, Value: value.String(), AsOf: report.Stamp(asOf),
		AgeSeconds: int64(r.at.Sub(asOf) / time.Second), Expires: report.Stamp(l.token.Expires()), At: asOf}
	return r.judgeStatus(value, l.token).AsAt(asOf)
}

// judgeStatus weighs what the list says against its age. "Revoked" is for good and doesn't age; "valid" and "suspended"
// are only as good as the list is fresh.
func (r *run) judgeStatus(value statuslist.Status, token statuslist.Token) Check {
	if value == statuslist.Invalid {
		return fail(report.ReasonRevoked, "revoked according to the list of "+report.Stamp(token.IssuedAt()))
	}
	if token.IssuedAt().After(r.at.Add(statuslist.Leeway)) {
		return unknown(report.ReasonListFuture, "the list was made after this clock's "+report.Stamp(r.at)+": the clock is wrong")
	}
	if end := token.Expires(); !end.IsZero() && !r.at.Before(end) {
		return unknown(report.ReasonListExpired, "the status list expired at "+report.Stamp(end))
	}
	if limit := r.statusMaxAge(); limit > 0 && r.at.Sub(token.IssuedAt()) > limit {
		return unknown(report.ReasonListOld, fmt.Sprintf("the status list is older than %s", limit))
	}
	switch value {
	case statuslist.Valid:
		return pass("in force according to the list of " + report.Stamp(token.IssuedAt()))
	case statuslist.Suspended:
		return fail(report.ReasonSuspended, "suspended according to the list of "+report.Stamp(token.IssuedAt()))
	}
	return unknown(report.ReasonStatusUnknown, "the list has a value that we don't know")
}

// statusMaxAge is the stricter of the caller's policy and the bundle's.
func (r *run) statusMaxAge() time.Duration {
	limit := r.v.policy.StatusMaxAge
	advised, listed := r.v.contents.Policy.StatusMaxAge[r.vct]
	if !listed {
		advised = r.v.contents.Policy.StatusMaxAge[""]
	}
	if advised > 0 && (limit == 0 || advised < limit) {
		limit = advised
	}
	return limit
}
