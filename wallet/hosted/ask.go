package hosted

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/walletpages"
)

// Asked is who asked for something to be shown, once everything about it was checked; zero when nobody did.
type Asked struct {
	// ID and Name are the registered client's.
	ID   string
	Name web.Text
	// Audience and Nonce are the challenge that the proof answers.
	Audience, Nonce string
	// Format is content.MDoc when they want an mdoc, else "".
	Format string
}

// errAsk: a request to show something that can't be trusted.
var errAsk = errors.New("hosted: request to show refused")

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{16,128}$`)

// asked checks who asks. The name that the person sees is the registered one, and the proof is made out only to an address on an origin that is registered
// for that name: a link of a stranger who calls himself the police leads to a refusal or to the police.
func (w *Wallet) asked(ctx context.Context, values url.Values) (Asked, error) {
	a := askedOf(values)
	if a == (Asked{}) {
		return a, nil
	}
	c, err := w.cfg.Clients.Client(ctx, a.ID)
	if errors.Is(err, ErrNotFound) {
		return Asked{}, fmt.Errorf("%w: unknown client", errAsk)
	}
	if err != nil {
		return Asked{}, err
	}
	origin, ok := originOf(a.Audience)
	if !ok || !slices.ContainsFunc(c.RedirectURIs, func(u string) bool { o, ok := originOf(u); return ok && o == origin }) {
		return Asked{}, fmt.Errorf("%w: the audience is on no origin of the client", errAsk)
	}
	if !nonceForm.MatchString(a.Nonce) {
		return Asked{}, fmt.Errorf("%w: nonce", errAsk)
	}
	if a.Format != "" && a.Format != content.MDoc {
		return Asked{}, fmt.Errorf("%w: format", errAsk)
	}
	a.Name = c.Name
	return a, nil
}

// unwritten finds what no address has: it must be escaped there. It would turn what people read around, and PostgreSQL refuses what is not UTF-8.
func unwritten(r rune) bool { return r <= ' ' || r > '~' }

// originOf is scheme and host of an http address without user, and whether it has them.
func originOf(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || len(address) > 512 || strings.ContainsFunc(address, unwritten) || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// values carry the challenge through the pages. It is checked again wherever it arrives.
func (a Asked) values() url.Values {
	if a.ID == "" {
		return url.Values{}
	}
	q := url.Values{"asker": {a.ID}, "audience": {a.Audience}, "nonce": {a.Nonce}}
	if a.Format != "" {
		q.Set("format", a.Format)
	}
	return q
}

func askedOf(v url.Values) Asked {
	return Asked{ID: v.Get("asker"), Audience: v.Get("audience"), Nonce: v.Get("nonce"), Format: v.Get("format")}
}

func askedValues(form url.Values) url.Values { return askedOf(form).values() }

// ask is where a counter's code leads: on to the page that shows, or to taking the licence first.
func (w *Wallet) ask(rw http.ResponseWriter, r *http.Request, v visit) {
	values, err := httpx.Query(r)
	if err != nil {
		w.refuseAsk(rw, r, v, fmt.Errorf("%w: %w", errAsk, err))
		return
	}
	asked, err := w.asked(r.Context(), values)
	if err == nil && asked.ID == "" {
		err = fmt.Errorf("%w: nobody asks", errAsk)
	}
	if err != nil {
		w.refuseAsk(rw, r, v, err)
		return
	}
	all, copies, err := w.all(r.Context(), v.Citizen)
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	l, have := pick(all, copies, values.Get("type"))
	purpose := values.Get("purpose")
	if l == nil {
		w.pages.Ask(rw, r, walletpages.AskPage{Asker: asked.Name})
		return
	}
	if _, ok := l.preset(purpose); !ok && purpose != "" && purpose != chosen {
		w.refuseAsk(rw, r, v, fmt.Errorf("%w: unknown purpose", errAsk))
		return
	}
	if l.InForce && have == nil {
		page := walletpages.AskPage{Asker: asked.Name, Licence: w.card(v.Citizen, *l, nil), CSRF: w.token(v)}
		for _, k := range []string{"asker", "audience", "nonce", "format"} {
			if value := asked.values().Get(k); value != "" {
				page.Carried = append(page.Carried, web.Field{Name: k, Value: value})
			}
		}
		page.Carried = append(page.Carried, web.Field{Name: "purpose", Value: purpose})
		w.pages.Ask(rw, r, page)
		return
	}
	q := asked.values()
	if purpose != "" {
		q.Set("preset", purpose)
	}
	http.Redirect(rw, r, licencePath(l.ID)+"/show?"+q.Encode(), http.StatusSeeOther)
}

// pick finds the licence of a type to show: one in force before others, one that is taken before others.
func pick(all []Licence, copies map[string]*Copy, typeID string) (*Licence, *Copy) {
	var best *Licence
	for i, l := range all {
		if l.TypeID != typeID {
			continue
		}
		if best == nil || l.InForce && (!best.InForce || copies[best.ID] == nil && copies[l.ID] != nil) {
			best = &all[i]
		}
	}
	if best == nil {
		return nil, nil
	}
	return best, copies[best.ID]
}

func (w *Wallet) refuseAsk(rw http.ResponseWriter, r *http.Request, v visit, err error) {
	if !errors.Is(err, errAsk) {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	page := web.NewProblem("wallet_ask", nil)
	page.Developer = err.Error()
	w.problem(rw, r, page)
}

func licenceVar(r *http.Request) string {
	id, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		return ""
	}
	return id
}
