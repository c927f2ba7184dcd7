package hosted

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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
func choose(l Licence, p sdjwt.Parsed, values url.Values) (selection, error) {
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
	said := p.UnverifiedClaims()
	disclosed := p.Disclosed()
	for _, c := range l.Claims {
		value, present := said[c.Name]
		if !present {
			continue
		}
		c.Value = value
		path := sdjwt.P(c.Name)
		c.Selective = slices.ContainsFunc(disclosed, path.Matches)
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
func (w *Wallet) ready(r *http.Request, v visit, values url.Values) (Licence, *Copy, selection, sdjwt.Parsed, error) {
	l, have, err := w.mine(r.Context(), v.Citizen, licenceVar(r))
	if err != nil || !l.InForce || have == nil || !w.cfg.Now().Before(have.ExpiresAt) {
		return l, have, selection{}, sdjwt.Parsed{}, err
	}
	if !levelEnough(v.ACR, l.RequiredACR) { // the copy was taken in a session of that level; its key must not answer for less
		return l, have, selection{}, sdjwt.Parsed{}, ErrLevelTooLow
	}
	p, err := w.open(*have)
	if err != nil {
		return l, have, selection{}, p, err
	}
	s, err := choose(l, p, values)
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
	l, have, s, _, err := w.ready(r, v, values)
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
	}
	w.pages.Show(rw, r, page)
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
func (w *Wallet) show(ctx context.Context, c Citizen, l Licence, have Copy, s selection, p sdjwt.Parsed, asked Asked) (string, error) {
	secret, now := rand.Text(), w.cfg.Now()
	rec := Show{ID: showID(secret), PersonID: c.PersonID, LicenceID: l.ID, TypeID: l.TypeID, CopyID: have.ID, Preset: s.preset.ID, Claims: s.names,
		Asker: asked.ID, AskerName: asked.Name, Audience: asked.Audience, CreatedAt: now, ExpiresAt: now.Add(shownFor)}
	nonce := asked.Nonce
	if asked.ID == "" {
		rec.Audience, nonce = w.purpose(s.preset.ID), rand.Text() // nobody asked: the purpose stands for the asker, the nonce tells showings apart
	}
	// The key comes first: when the copy was replaced meanwhile, nothing is recorded that wasn't shown.
	key, err := w.cfg.Keys.Signer(ctx, have.ID)
	if err != nil {
		return "", err
	}
	err = w.cfg.Store.AddShow(ctx, rec, audit.Event{Kind: "wallet.shown", Actor: c.PersonID, Subject: l.ID, Client: asked.ID,
		Detail: map[string]string{"show": rec.ID, "copy": have.ID, "preset": s.preset.ID, "claims": fmt.Sprint(len(s.names))}})
	if err != nil {
		return "", err
	}
	text, err := p.Present(s.paths...)
	if err != nil {
		return "", err
	}
	if text, err = sdjwt.BindKey(text, key, rec.Audience, nonce, now); err != nil {
		return "", err
	}
	sealed, err := shownSealer(secret)
	if err != nil {
		return "", err
	}
	if rec.Sealed, err = sealed.Seal("hosted/shown", text); err != nil {
		return "", err
	}
	return secret, w.cfg.Store.SealShow(ctx, rec.ID, rec.Sealed)
}

// purpose is the audience that stands for a purpose when nobody asked.
func (w *Wallet) purpose(preset string) string { return w.cfg.Origin + "/purposes/" + preset }

// showForm is what showID makes.
var showForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// showID is the name of a showing in the store: from it the link can't be found.
func showID(secret string) string {
	sum := sha256.Sum256([]byte("hufu shown\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// shownSealer seals what was shown by its link: who has the database alone can't read it.
func shownSealer(secret string) (*httpx.Sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "hufu shown presentation", 32)
	if err != nil {
		return nil, err
	}
	return httpx.NewSealer(key), nil
}

// presentation is the text of a showing, by the secret of its link.
func presentation(s Show, secret string) (string, error) {
	sealer, err := shownSealer(secret)
	if err != nil {
		return "", err
	}
	var text string
	return text, sealer.Open("hosted/shown", s.Sealed, &text)
}

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
