package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// Consent shows what the client would receive (GET) and takes the answer (POST).
func (h *Handler) Consent(w http.ResponseWriter, r *http.Request, flowID string) {
	state, c, err := h.load(r, flowID)
	if err == nil && state.ClientID == "" {
		err = flow.ErrNone
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	d, err := h.decide(r.Context(), r, c, state)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if d.step != stepConsent && d.step != stepDone {
		h.dispatch(w, r, c, state) // changes nothing: at most it asks to log in again
		return
	}
	bound := boundTo(d)
	if r.Method != http.MethodPost {
		h.consentPage(w, r, c, state, d, bound)
		return
	}
	form, err := httpx.Form(r)
	if err != nil || h.checkForm(r, state, bound, form.Get("csrf")) != nil {
		h.formProblem(w, r, state)
		return
	}
	if form.Get("csrf") != httpx.FormToken([]byte(state.CSRF), bound) {
		// The form was made for another person or another list than there is now (a login in another tab): show what is true now.
		http.Redirect(w, r, consentPath(state.ID), http.StatusSeeOther)
		return
	}
	h.answer(w, r, c, state, d, form)
}

// boundTo is what a consent form is good for: this session, these things.
func boundTo(d decision) string { return d.session.Key + " " + strings.Join(d.asked, " ") }

func (h *Handler) formProblem(w http.ResponseWriter, r *http.Request, state flow.State) {
	p := web.NewProblem(web.ProblemForm, nil)
	p.Next = &web.Action{Label: web.Say("action.back", nil), Href: dispatchPath(state.ID)}
	h.cfg.Pages.Problem(w, r, p)
}

// answer acts on the person's decision.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c client.Client, state flow.State, d decision, form url.Values) {
	switch form.Get("decision") {
	case "deny":
		err := h.cfg.Store.Audit(r.Context(), audit.Event{Kind: "oidc.consent_declined", Actor: d.session.PersonID, Subject: d.session.PersonID, Client: c.ID})
		if err == nil {
			err = tell(c, state, oauth.New(oauth.AccessDenied, "the person declined"))
		}
		h.fail(w, r, err)
		return
	case "allow":
	default:
		http.Redirect(w, r, consentPath(state.ID), http.StatusSeeOther)
		return
	}
	d.agreed = nil
	for _, item := range d.asked {
		if !slices.Contains(c.OptionalClaims, item) || form.Get("share-"+item) == "1" {
			d.agreed = append(d.agreed, item)
		}
	}
	consent := Consent{PersonID: d.session.PersonID, ClientID: c.ID, Asked: d.asked, Agreed: d.agreed,
		Standing: form.Get("term") == "standing" && !c.Impersonable(state.RedirectURI), At: h.cfg.Now()}
	var answer url.Values
	err := h.cfg.Store.InTx(r.Context(), func(ctx context.Context) (err error) {
		err = h.cfg.Store.PutConsent(ctx, consent, audit.Event{Kind: "oidc.consent_given", Actor: consent.PersonID, Subject: consent.PersonID,
			Client: c.ID, Detail: map[string]string{"items": strings.Join(d.agreed, " "), "standing": strconv.FormatBool(consent.Standing)}})
		if err != nil {
			return err
		}
		answer, err = h.issue(ctx, c, state, d)
		return err
	})
	if errors.Is(err, session.ErrNone) {
		// Logged out in another tab while she read: the dispatcher asks her to log in again.
		http.Redirect(w, r, dispatchPath(state.ID), http.StatusSeeOther)
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	trail.OK(r.Context(), trail.Consent)
	trail.OK(r.Context(), trail.Code)
	h.cfg.Responses.Write(w, r, c, state.Request, answer)
}

func (h *Handler) consentPage(w http.ResponseWriter, r *http.Request, c client.Client, state flow.State, d decision, bound string) {
	page := web.ConsentPage{
		About: about(c), SelfMade: c.Dynamic || c.Loopback, Client: c.Name, Service: c.Service, LastTime: d.last.At, OfferStanding: !c.Impersonable(state.RedirectURI), Action: consentPath(state.ID),
		CSRF: httpx.FormToken([]byte(state.CSRF), bound),
	}
	for _, item := range d.asked {
		given := web.GivenItem{Key: item, Required: !slices.Contains(c.OptionalClaims, item),
			New: !d.last.At.IsZero() && !slices.Contains(d.last.Asked, item)}
		switch {
		case item == scopeItem+claim.OfflineAccess:
			given.Key, given.Label, given.Value = claim.OfflineAccess, web.ClaimLabel(claim.OfflineAccess), web.Say("claim.offline_access.words", nil)
		case strings.HasPrefix(item, scopeItem):
			_, title, _ := h.credential(strings.TrimPrefix(item, scopeItem))
			given.Key, given.Label, given.Value = "credential", web.ClaimLabel("credential"), title
		case strings.HasPrefix(item, detailItem):
			given.Key, given.Value = h.detailWords(state, item)
			given.Label = web.ClaimLabel(given.Key)
		default:
			given.Value = web.ClaimValue(item, masked(item, d.person.Value(item)))
		}
		// A wallet may ask for one licence by scope and by details, and in two formats: a person gives it once.
		if given.Key == "credential" && slices.ContainsFunc(page.Given, func(g web.GivenItem) bool { return g.Key == given.Key && g.Value == given.Value }) {
			continue
		}
		page.Given = append(page.Given, given)
	}
	for _, name := range claim.All() {
		if d.person.Value(name) != "" && !slices.Contains(d.asked, name) {
			page.Stays = append(page.Stays, web.ClaimLabel(name))
		}
	}
	// The form's answer is a redirect to the client, and browsers check the whole chain.
	httpx.AllowFormAction(w, client.Origin(state.RedirectURI))
	httpx.AllowImage(w, c.LogoURI)
	h.cfg.Pages.Consent(w, r, page)
}

// about is what a client registered of itself (OpenID Connect Registration section 2).
func about(c client.Client) web.About {
	return web.About{Logo: c.LogoURI, Policy: c.PolicyURI, Terms: c.TermsURI, SelfMade: c.Dynamic || c.Loopback}
}

// detailWords says in our own words what an element of authorization_details allows, and what kind of thing that is.
func (h *Handler) detailWords(state flow.State, item string) (kind string, words web.Text) {
	for _, raw := range state.Details {
		if detailKey(raw) != item {
			continue
		}
		if _, c, err := credential.Parse(raw, h.cfg.Credentials); err == nil {
			return "credential", c.Title
		}
		return "permission", h.cfg.Requests.Details.Words(raw)
	}
	return "permission", web.Text{}
}

// masked hides the middle of numbers that a passer-by could read off the screen; the person still recognises her own.
func masked(name, value string) string {
	keepFront, keepBack := 0, 0
	switch name {
	case "phone_number":
		keepFront, keepBack = 3, 4
		if strings.HasPrefix(value, "+86") {
			keepFront = 6
		}
	case "resident_id":
		keepFront, keepBack = 3, 2
	default:
		return value
	}
	if len(value) <= keepFront+keepBack {
		return value
	}
	return value[:keepFront] + strings.Repeat("*", len(value)-keepFront-keepBack) + value[len(value)-keepBack:]
}
