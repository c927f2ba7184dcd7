package hosted

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/walletpages"
)

// shownFor is how long what was shown can be opened.
const shownFor = 10 * time.Minute

// chosen is the preset of somebody who picks single fields; pickPrefix begins the names of their boxes.
const (
	chosen     = "chosen"
	pickPrefix = "c."
)

// selection is what would be shown of a copy.
type selection struct {
	preset Preset
	// claims are what the other side would see, in the order of the type, those first that can't be kept back last; hidden what the copy has beside them.
	claims, hidden []Claim
	// paths are the disclosures.
	paths []sdjwt.Path
	names []string
}

// choose works out what a preset, or the single fields of values, would show. What is said comes from the credential itself, not from the register: it is
// what the other side will see.
func choose(l Licence, p content.Copy, asMDoc bool, values url.Values) (selection, error) {
	var s selection
	id := values.Get("preset")
	if id == "" && len(l.Presets) > 0 {
		id = l.Presets[0].ID
	}
	ok := true
	if id == chosen {
		s.preset = Preset{ID: chosen, Name: web.Say("wallet.chosen", nil)}
		for _, c := range l.Claims {
			if values.Get(pickPrefix+c.Name) == "1" {
				s.preset.Claims = append(s.preset.Claims, c.Name)
			}
		}
	} else if s.preset, ok = l.preset(id); !ok {
		return s, ErrNotFound
	}
	said := p.VC.UnverifiedClaims()
	disclosed := p.VC.Disclosed()
	for _, c := range l.Claims {
		value, present := said[c.Name]
		if !present || asMDoc && !content.Says(*p.Doc, l.Elements, c.Name) {
			continue
		}
		c.Value = value
		path := sdjwt.P(c.Name)
		c.Selective = asMDoc || slices.ContainsFunc(disclosed, path.Matches) // of an mdoc, everything can be kept back
		switch {
		case !c.Selective:
			s.claims, s.names = append(s.claims, c), append(s.names, c.Name)
		case slices.Contains(s.preset.Claims, c.Name):
			s.claims, s.names = append(s.claims, c), append(s.names, c.Name)
			s.paths = append(s.paths, path)
		default:
			s.hidden = append(s.hidden, c)
		}
	}
	return s, nil
}

// ready finds what is needed to show a licence: it is in force, taken, and the copy still good.
func (w *Wallet) ready(r *http.Request, v visit, values url.Values) (Licence, *Copy, selection, content.Copy, error) {
	l, have, err := w.mine(r.Context(), v.Citizen, licenceVar(r))
	if err != nil || !l.InForce || have == nil || !w.cfg.Now().Before(have.ExpiresAt) {
		return l, have, selection{}, content.Copy{}, err
	}
	if !levelEnough(v.ACR, l.RequiredACR) { // the copy was taken in a session of that level; its key must not answer for less
		return l, have, selection{}, content.Copy{}, ErrLevelTooLow
	}
	p, err := w.open(*have)
	if err != nil {
		return l, have, selection{}, p, err
	}
	asMDoc := values.Get("format") == content.MDoc
	if asMDoc && p.Doc == nil {
		return l, have, selection{}, p, ErrNoForm
	}
	s, err := choose(l, p, asMDoc, values)
	return l, have, s, p, err
}

// preview shows what would be shown, to whom.
func (w *Wallet) preview(rw http.ResponseWriter, r *http.Request, v visit) {
	values, err := httpx.Query(r)
	if err != nil {
		w.problem(rw, r, web.NewProblem("wallet_ask", nil))
		return
	}
	asked, err := w.asked(r.Context(), values)
	if err != nil {
		w.refuseAsk(rw, r, v, err)
		return
	}
	l, have, s, p, err := w.ready(r, v, values)
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	page := walletpages.ShowPage{Licence: w.card(v.Citizen, l, have), Action: licencePath(l.ID) + "/show", CSRF: w.token(v), Purpose: s.preset.Name,
		Asker: asked.Name, Asked: asked.ID != "", Minutes: int(shownFor / time.Minute)}
	carried := asked.values()
	for k := range carried {
		page.Carried = append(page.Carried, web.Field{Name: k, Value: carried.Get(k)})
	}
	slices.SortFunc(page.Carried, func(a, b web.Field) int { return len(a.Name) - len(b.Name) })
	if have != nil && s.preset.ID != "" {
		w.fillPreview(&page, l, have, s, carried)
		if asked.ID != "" && p.Doc != nil {
			page.OtherForm = otherForm(page.Action, s.preset.ID, asked)
		}
	}
	w.pages.Show(rw, r, page)
}

// otherForm is the same preview of the other format: the one who asks says which they can read.
func otherForm(action, preset string, asked Asked) web.Action {
	label := web.Say("wallet.show.as_mdoc", nil)
	if asked.Format == content.MDoc {
		asked.Format, label = "", web.Say("wallet.show.as_sdjwt", nil)
	} else {
		asked.Format = content.MDoc
	}
	q := asked.values()
	q.Set("preset", preset)
	return web.Action{Label: label, Href: action + "?" + q.Encode()}
}

func (w *Wallet) fillPreview(page *walletpages.ShowPage, l Licence, have *Copy, s selection, carried url.Values) {
	page.Ready = true
	for _, p := range append(slices.Clone(l.Presets), Preset{ID: chosen, Name: web.Say("wallet.chosen", nil)}) {
		q := url.Values{"preset": {p.ID}}
		for k := range carried {
			q.Set(k, carried.Get(k))
		}
		page.Presets = append(page.Presets, walletpages.Choice{Name: p.Name, Href: page.Action + "?" + q.Encode(), Current: p.ID == s.preset.ID, Own: p.ID == chosen})
	}
	for _, c := range s.claims {
		page.Seen = append(page.Seen, walletpages.Given{Label: c.Label, Value: valueText(c.Name, c.Value), Always: !c.Selective})
	}
	for _, c := range s.hidden {
		page.Hidden = append(page.Hidden, c.Label)
	}
	page.Fields = []web.Field{{Name: "copy", Value: have.ID}, {Name: "preset", Value: s.preset.ID}}
	if s.preset.ID == chosen {
		page.Choosing = true
		mine := append(slices.Clone(s.claims), s.hidden...)
		for _, c := range l.Claims { // in the order of the type: a box that is ticked stays where it is
			if slices.ContainsFunc(mine, func(m Claim) bool { return m.Name == c.Name && m.Selective }) {
				page.Picks = append(page.Picks, walletpages.Pick{Name: pickPrefix + c.Name, Label: c.Label, Picked: slices.Contains(s.preset.Claims, c.Name)})
			}
		}
		for _, name := range s.preset.Claims {
			page.Fields = append(page.Fields, web.Field{Name: pickPrefix + name, Value: "1"})
		}
	}
}

// confirm shows: the record first, then the presentation, then the page with the link.
func (w *Wallet) confirm(rw http.ResponseWriter, r *http.Request, v visit) {
	asked, err := w.asked(r.Context(), v.form)
	if err != nil {
		w.refuseAsk(rw, r, v, err)
		return
	}
	l, have, s, p, err := w.ready(r, v, v.form)
	switch {
	case err != nil:
		w.refuse(rw, r, v, l, err)
		return
	case !l.InForce:
		w.refuse(rw, r, v, l, ErrNotInForce)
		return
	case have == nil || s.preset.ID == "" || v.form.Get("copy") != have.ID:
		// The copy was replaced, removed or ran out since the page was made: what it said may not be what would be shown.
		again := asked.values()
		again.Set("preset", v.form.Get("preset"))
		http.Redirect(rw, r, licencePath(l.ID)+"/show?"+again.Encode(), http.StatusSeeOther)
		return
	}
	secret, err := w.show(r.Context(), v.Citizen, l, *have, s, p, asked)
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	http.Redirect(rw, r, "/wallet/shown/"+secret, http.StatusSeeOther)
}

// show records the showing, makes the presentation and returns the secret of its link.
func (w *Wallet) show(ctx context.Context, c Citizen, l Licence, have Copy, s selection, p content.Copy, asked Asked) (string, error) {
	secret, now := rand.Text(), w.cfg.Now()
	rec := Show{ID: content.ShowID(secret), PersonID: c.PersonID, LicenceID: l.ID, TypeID: l.TypeID, CopyID: have.ID, Preset: s.preset.ID, Claims: s.names,
		Asker: asked.ID, AskerName: asked.Name, Audience: asked.Audience, CreatedAt: now, ExpiresAt: now.Add(shownFor)}
	nonce := asked.Nonce
	if asked.ID == "" {
		rec.Audience, nonce = w.purpose(s.preset.ID), rand.Text() // nobody asked: the purpose stands for the asker, the nonce tells showings apart
	}
	// The key comes first: when the copy was replaced meanwhile, nothing is recorded that wasn't shown.
	keyID := have.ID
	if asked.Format == content.MDoc {
		keyID = mdocKey(have.ID)
	}
	key, err := w.cfg.Keys.Signer(ctx, keyID)
	if err != nil {
		return "", err
	}
	err = w.cfg.Store.AddShow(ctx, rec, audit.Event{Kind: "wallet.shown", Actor: c.PersonID, Subject: l.ID, Client: asked.ID,
		Detail: map[string]string{"show": rec.ID, "copy": have.ID, "preset": s.preset.ID, "claims": fmt.Sprint(len(s.names))}})
	if err != nil {
		return "", err
	}
	var text string
	if asked.Format == content.MDoc {
		text, err = content.Present(*p.Doc, l.Elements, s.names, key, nonce, rec.Audience)
	} else if text, err = p.VC.Present(s.paths...); err == nil {
		text, err = sdjwt.BindKey(text, key, rec.Audience, nonce, now)
	}
	if err != nil {
		return "", err
	}
	if rec.Sealed, err = content.SealShown(secret, text); err != nil {
		return "", err
	}
	return secret, w.cfg.Store.SealShow(ctx, rec.ID, rec.Sealed)
}

// purpose is the audience that stands for a purpose when nobody asked.
func (w *Wallet) purpose(preset string) string { return w.cfg.Origin + "/purposes/" + preset }

// showForm is what content.ShowID makes.
var showForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// stop ends a showing: its link is dead at once.
func (w *Wallet) stop(rw http.ResponseWriter, r *http.Request, v visit) {
	id := v.form.Get("show")
	if !showForm.MatchString(id) { // PostgreSQL answers a NUL with an error, which would be a fault of ours
		w.refuse(rw, r, v, Licence{}, ErrNotFound)
		return
	}
	err := w.cfg.Store.StopShow(r.Context(), v.PersonID, id, w.cfg.Now(), audit.Event{Kind: "wallet.show_stopped", Actor: v.PersonID, Subject: id})
	if err != nil {
		if s, serr := w.cfg.Store.Show(r.Context(), id); errors.Is(err, ErrNotFound) && serr == nil && s.PersonID == v.PersonID {
			err = nil // it had ended already, which is what was wanted
		}
	}
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	http.Redirect(rw, r, "/wallet/history", http.StatusSeeOther)
}
