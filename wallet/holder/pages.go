package holder

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
)

const (
	listPath  = "/licences"
	offerPath = "/licences/offers"
)

// list shows the citizen's licences.
func (h *Holder) list(w http.ResponseWriter, r *http.Request) {
	c, ok := h.cfg.Citizens.Current(r)
	if !ok {
		h.cfg.Citizens.Login(w, r, listPath)
		return
	}
	licences, err := h.cfg.Licences.Of(r.Context(), c.PersonID)
	if err != nil {
		h.fault(w, r, err)
		return
	}
	page := web.LicencesPage{Person: web.Text{ZH: c.Name}, CSRF: httpx.FormToken(h.cfg.FormKey, c.SessionID), Logout: h.cfg.Logout}
	for _, l := range licences {
		page.Licences = append(page.Licences, h.view(c, l))
	}
	h.cfg.Pages.Licences(w, r, page)
}

// view is one licence with the form that makes an offer, or the reason why there is none.
func (h *Holder) view(c Citizen, l Licence) web.LicenceView {
	v := web.LicenceView{ID: l.ID, TypeID: l.TypeID, Name: l.Name, Issuer: l.Issuer, Status: l.Status, Tone: l.Tone, Reason: l.Reason,
		ValidFrom: l.ValidFrom, ValidTo: l.ValidTo, Facts: l.Facts}
	switch {
	case !l.InForce:
		v.WhyNot = web.Say("problem.licence.cause", web.Args{"licence": l.Name, "status": l.Status})
	case !levelEnough(c.ACR, l.RequiredACR):
		v.WhyNot = levelCause(c, l.RequiredACR)
	default:
		v.CanOffer, v.Action = true, offerPath
		v.Hidden = []web.Field{{Name: "licence", Value: l.ID}}
	}
	return v
}

// levelEnough compares loa1..loa4, whose names sort as they rank. An unknown level is below all.
func levelEnough(have, required string) bool {
	return required == "" || len(have) == len("loa1") && have[:3] == "loa" && have <= "loa4" && have >= required
}

func levelCause(c Citizen, required string) web.Text {
	return web.Say("problem.level.cause", levelArgs(c, required))
}

func levelArgs(c Citizen, required string) web.Args {
	return web.Args{"have": web.LevelText(c.ACR), "need": web.LevelText(required), "province": c.Province}
}

// create makes an offer and redirects to its page, so that reloading the answer does not make another.
func (h *Holder) create(w http.ResponseWriter, r *http.Request) {
	c, ok := h.cfg.Citizens.Current(r)
	if !ok {
		// The form is gone with the session; the list has a new one.
		h.cfg.Citizens.Login(w, r, listPath)
		return
	}
	form, err := httpx.Form(r)
	if err != nil {
		h.problem(w, r, web.NewProblem(web.ProblemForm, nil))
		return
	}
	if err := httpx.CheckForm(r, h.cfg.Origin, h.cfg.FormKey, c.SessionID, form.Get("csrf")); err != nil {
		h.cfg.Log.WarnContext(r.Context(), "holder: form refused", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
		h.problem(w, r, web.NewProblem(web.ProblemForm, nil))
		return
	}
	licence, ok, err := h.find(r, c, form.Get("licence"))
	if err != nil {
		h.fault(w, r, err)
		return
	}
	if !ok {
		h.problem(w, r, web.NewProblem(web.ProblemNotFound, nil))
		return
	}
	offer, err := h.cfg.Offers.Create(r.Context(), c, licence.ID)
	if err != nil {
		h.refuse(w, r, c, licence, err)
		return
	}
	http.Redirect(w, r, offerPath+"/"+offer.ID, http.StatusSeeOther)
}

// find looks the licence up among the citizen's own: another person's is not there, whatever its status.
func (h *Holder) find(r *http.Request, c Citizen, id string) (Licence, bool, error) {
	all, err := h.cfg.Licences.Of(r.Context(), c.PersonID)
	if err != nil {
		return Licence{}, false, err
	}
	for _, l := range all {
		if l.ID == id {
			return l, true, nil
		}
	}
	return Licence{}, false, nil
}

func (h *Holder) refuse(w http.ResponseWriter, r *http.Request, c Citizen, l Licence, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		h.problem(w, r, web.NewProblem(web.ProblemNotFound, nil))
	case errors.Is(err, ErrNotInForce):
		h.problem(w, r, web.NewProblem(web.ProblemLicence, web.Args{"licence": l.Name, "status": l.Status}))
	case errors.Is(err, ErrLevelTooLow):
		h.problem(w, r, web.NewProblem(web.ProblemLevel, levelArgs(c, l.RequiredACR)))
	case errors.Is(err, ErrTooMany):
		page := web.NewProblem(web.ProblemBusy, nil)
		page.Status = http.StatusTooManyRequests // the person's doing: a 5xx would wake whoever watches the server
		h.problem(w, r, page)
	default:
		h.fault(w, r, err)
	}
}

// show shows an offer that this citizen made, for as long as it can be taken.
func (h *Holder) show(w http.ResponseWriter, r *http.Request) {
	c, ok := h.cfg.Citizens.Current(r)
	if !ok {
		// Not back to this page: its address is as secret as the offer and doesn't belong into a login flow.
		h.cfg.Citizens.Login(w, r, listPath)
		return
	}
	offer, err := h.cfg.Offers.Show(r.Context(), c.PersonID, mux.Vars(r)["id"])
	switch {
	case errors.Is(err, ErrNotFound):
		h.problem(w, r, web.NewProblem(web.ProblemNotFound, nil))
		return
	case err != nil:
		h.fault(w, r, err)
		return
	case !offer.Open:
		page := web.NewProblem(web.ProblemOfferGone, nil)
		page.Next = &web.Action{Label: web.Say("action.offer", nil), Href: listPath}
		h.cfg.Pages.Problem(w, r, page)
		return
	}
	h.cfg.Pages.Offer(w, r, web.OfferPage{Licence: offer.Name, Issuer: offer.Issuer, URI: offer.URI, TxCode: offer.TxCode,
		Expires: offer.ExpiresAt, Back: listPath})
}

// problem shows a problem page with the way back to the list.
func (h *Holder) problem(w http.ResponseWriter, r *http.Request, page web.ProblemPage) {
	page.Next = &web.Action{Label: web.Say("action.licences", nil), Href: listPath}
	h.cfg.Pages.Problem(w, r, page)
}

func (h *Holder) fault(w http.ResponseWriter, r *http.Request, err error) {
	h.cfg.Log.ErrorContext(r.Context(), "holder: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
	h.cfg.Pages.Problem(w, r, web.NewProblem(web.ProblemInternal, nil))
}
