package correction

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/correctionpages"
)

const (
	walletPath = "/wallet"
	listPath   = "/wallet/reports"
)

func formPath(licenceID string) string {
	return "/wallet/licences/" + url.PathEscape(licenceID) + "/report"
}

// list shows what the citizen reported.
func (s *Service) list(w http.ResponseWriter, r *http.Request) {
	c, ok := s.cfg.Citizens.Current(r)
	if !ok {
		s.cfg.Citizens.Login(w, r, listPath)
		return
	}
	reports, err := s.Of(r.Context(), c.PersonID)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	licences, err := s.cfg.Licences.Of(r.Context(), c.PersonID)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	page := correctionpages.ListPage{Wallet: walletPath}
	for _, x := range reports {
		page.Reports = append(page.Reports, rowOf(x, licences))
	}
	s.pages.List(w, r, page)
}

// rowOf names licence and entry. A licence that is no longer hers, or an entry that its type no longer has, keeps its identifier.
func rowOf(x Report, licences []Licence) correctionpages.Row {
	row := correctionpages.Row{LicenceID: x.LicenceID, Field: web.Plain(x.Field), Text: web.Plain(x.Text), Answered: x.State == Answered,
		ReportedAt: x.ReportedAt, Answer: web.Plain(x.Answer), AnsweredAt: x.AnsweredAt, Outcome: string(x.Outcome)}
	if x.Field == FieldOther {
		row.Field = correctionpages.OtherField()
	}
	if l, ok := find(licences, x.LicenceID); ok {
		row.Licence, row.Issuer = l.Name, l.Issuer
		for _, e := range l.Entries {
			if e.Name == x.Field {
				row.Field = e.Label
			}
		}
	}
	return row
}

func find(all []Licence, id string) (Licence, bool) {
	for _, l := range all {
		if l.ID == id {
			return l, true
		}
	}
	return Licence{}, false
}

// own looks the licence of the path up among the citizen's own: another person's is not there, as one that doesn't exist.
func (s *Service) own(ctx context.Context, c Citizen, r *http.Request) (Licence, error) {
	id, err := url.PathUnescape(mux.Vars(r)["id"]) // the router works on the encoded path
	if err != nil {
		return Licence{}, ErrNotFound
	}
	all, err := s.cfg.Licences.Of(ctx, c.PersonID)
	if err != nil {
		return Licence{}, err
	}
	l, ok := find(all, id)
	if !ok {
		return Licence{}, ErrNotFound
	}
	return l, nil
}

// form asks what is wrong.
func (s *Service) form(w http.ResponseWriter, r *http.Request) {
	c, ok := s.cfg.Citizens.Current(r)
	if !ok {
		s.cfg.Citizens.Login(w, r, r.URL.EscapedPath())
		return
	}
	l, err := s.own(r.Context(), c, r)
	if err != nil {
		s.explain(w, r, l, err)
		return
	}
	s.pages.Report(w, r, http.StatusOK, s.formView(c, l))
}

func (s *Service) formView(c Citizen, l Licence) correctionpages.ReportPage {
	page := correctionpages.ReportPage{Licence: l.Name, Issuer: l.Issuer, Max: MaxText, Action: formPath(l.ID), Wallet: walletPath, List: listPath,
		CSRF: httpx.FormToken(s.cfg.FormKey, c.SessionID)}
	for _, e := range l.Entries {
		page.Fields = append(page.Fields, correctionpages.Choice{Name: e.Name, Label: e.Label, Value: e.Value})
	}
	page.Fields = append(page.Fields, correctionpages.Choice{Name: FieldOther, Label: correctionpages.OtherField(), Other: true})
	return page
}

// send makes a report and redirects to the list, so that reloading the answer does not make another.
func (s *Service) send(w http.ResponseWriter, r *http.Request) {
	c, ok := s.cfg.Citizens.Current(r)
	if !ok {
		// The form is gone with the session; the page has a new one.
		s.cfg.Citizens.Login(w, r, r.URL.EscapedPath())
		return
	}
	form, err := httpx.Form(r)
	if err == nil {
		err = httpx.CheckForm(r, s.cfg.Origin, s.cfg.FormKey, c.SessionID, form.Get("csrf"))
	}
	if err != nil {
		s.cfg.Log.WarnContext(r.Context(), "correction: form refused", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
		s.problem(w, r, web.NewProblem(web.ProblemForm, nil))
		return
	}
	l, err := s.own(r.Context(), c, r)
	if err != nil {
		s.explain(w, r, l, err)
		return
	}
	_, err = s.Report(r.Context(), c.PersonID, l, form.Get("field"), form.Get("text"))
	if errors.Is(err, ErrInvalid) {
		s.again(w, r, s.formView(c, l), form)
		return
	}
	if err != nil {
		s.explain(w, r, l, err)
		return
	}
	http.Redirect(w, r, listPath, http.StatusSeeOther)
}

// again shows the form with what was typed and what to mend.
func (s *Service) again(w http.ResponseWriter, r *http.Request, page correctionpages.ReportPage, form url.Values) {
	chosen := false
	for i, f := range page.Fields {
		if f.Name == form.Get("field") {
			page.Fields[i].Chosen, chosen = true, true
		}
	}
	if !chosen {
		page.FieldProblem = correctionpages.NoField()
	}
	text, err := cleanText(form.Get("text"))
	var bad *textError
	if errors.As(err, &bad) {
		text = strings.ToValidUTF8(form.Get("text"), "\ufffd")
		page.TextProblem = bad.fault
	}
	page.Text = text
	s.pages.Report(w, r, http.StatusBadRequest, page)
}

// explain answers what can't be mended in the form.
func (s *Service) explain(w http.ResponseWriter, r *http.Request, l Licence, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		s.problem(w, r, web.NewProblem(web.ProblemNotFound, nil))
	case errors.Is(err, ErrTooMany):
		page := correctionpages.TooMany(l.Name, MaxOpen)
		page.Status = http.StatusTooManyRequests // the person's doing: a 5xx would wake whoever watches the server
		page.Next = &web.Action{Label: correctionpages.ListTitle(), Href: listPath}
		s.cfg.Pages.Problem(w, r, page)
	default:
		s.fault(w, r, err)
	}
}

// problem shows a problem page with the way back to the wallet.
func (s *Service) problem(w http.ResponseWriter, r *http.Request, page web.ProblemPage) {
	page.Next = &web.Action{Label: correctionpages.ToWallet(), Href: walletPath}
	s.cfg.Pages.Problem(w, r, page)
}

func (s *Service) fault(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Log.ErrorContext(r.Context(), "correction: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
	s.cfg.Pages.Problem(w, r, web.NewProblem(web.ProblemInternal, nil))
}
