package hosted

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/walletpages"
)

// list shows the wallet.
func (w *Wallet) list(rw http.ResponseWriter, r *http.Request, v visit) {
	all, copies, err := w.all(r.Context(), v.Citizen)
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	page := walletpages.ListPage{Person: web.Text{ZH: v.Name}, CSRF: w.token(v), Logout: w.cfg.Logout}
	for _, l := range all {
		page.Cards = append(page.Cards, w.card(v.Citizen, l, copies[l.ID]))
	}
	w.pages.List(rw, r, page)
}

// card is a licence with what can be done with it.
func (w *Wallet) card(c Citizen, l Licence, have *Copy) walletpages.Card {
	v := walletpages.Card{ID: l.ID, TypeID: l.TypeID, Name: l.Name, Issuer: l.Issuer, Status: l.Status, Tone: l.Tone, Reason: l.Reason, Since: l.Since,
		ValidFrom: l.ValidFrom, ValidTo: l.ValidTo, InForce: l.InForce, Taken: have != nil, Holder: web.Text{ZH: c.Name}, Path: licencePath(l.ID)}
	if have != nil {
		v.Until, v.Stale = have.ExpiresAt, w.stale(l, *have)
	}
	switch {
	case !l.InForce:
		v.WhyNot = web.Say("wallet.notinforce", web.Args{"status": l.Status})
	case have == nil && !levelEnough(c.ACR, l.RequiredACR):
		v.WhyNot = web.Say("problem.level.cause", levelArgs(c, l.RequiredACR))
	}
	return v
}

// stale says that a copy ran out, or no longer says what the register says.
func (w *Wallet) stale(l Licence, have Copy) bool {
	if !w.cfg.Now().Before(have.ExpiresAt) {
		return true
	}
	p, err := w.open(have)
	if err != nil {
		return true // it can't be shown; taking it again mends that
	}
	said := p.VC.UnverifiedClaims()
	return slices.ContainsFunc(l.Claims, func(c Claim) bool {
		was, present := said[c.Name]
		return present != (c.Value != nil) || present && valueText(c.Name, was) != valueText(c.Name, c.Value)
	})
}

// detail shows one licence.
func (w *Wallet) detail(rw http.ResponseWriter, r *http.Request, v visit) {
	l, have, err := w.mine(r.Context(), v.Citizen, licenceVar(r))
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	shows, err := w.cfg.Store.Shows(r.Context(), v.PersonID, l.ID, 50)
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	page := walletpages.DetailPage{Card: w.card(v.Citizen, l, have), CSRF: w.token(v), Logout: w.cfg.Logout}
	for _, c := range l.Claims {
		if c.Value != nil {
			page.Fields = append(page.Fields, web.Fact{Label: c.Label, Value: valueText(c.Name, c.Value)})
		}
	}
	for _, s := range shows {
		page.History = append(page.History, w.seen(v, s, []Licence{l}))
	}
	w.pages.Detail(rw, r, page)
}

// seen is a showing in words.
func (w *Wallet) seen(v visit, s Show, all []Licence) walletpages.Seen {
	out := walletpages.Seen{At: s.CreatedAt, Until: s.ExpiresAt, Licence: web.Plain(s.TypeID), Whom: s.AskerName, Preset: presetName(Licence{}, s.Preset),
		Opened: s.Opened, LastOpened: s.LastOpenedAt, Stopped: s.StoppedAt, Open: s.open(w.cfg.Now()), ID: s.ID, CSRF: w.token(v)}
	i := slices.IndexFunc(all, func(l Licence) bool { return l.ID == s.LicenceID })
	if i < 0 {
		return out // the licence is no longer in the register; the showing stays
	}
	out.Licence, out.Preset = all[i].Name, presetName(all[i], s.Preset)
	for _, name := range s.Claims {
		out.Fields = append(out.Fields, label(all[i], name))
	}
	return out
}

func presetName(l Licence, id string) web.Text {
	if p, ok := l.preset(id); ok {
		return p.Name
	}
	if id == chosen {
		return web.Say("wallet.chosen", nil)
	}
	return web.Plain(id)
}

func label(l Licence, claim string) web.Text {
	for _, c := range l.Claims {
		if c.Name == claim {
			return c.Label
		}
	}
	return web.Plain(claim)
}

// maxHistory is how far back the pages go.
const maxHistory = 500

// past is the history page: every showing of the citizen's, or those of the licence that ?licence= names. Another person's licence has none, as one that never
// was, and the store is not asked for it.
func (w *Wallet) past(r *http.Request, v visit) (walletpages.HistoryPage, error) {
	page := walletpages.HistoryPage{CSRF: w.token(v), Logout: w.cfg.Logout}
	all, _, err := w.all(r.Context(), v.Citizen)
	if err != nil {
		return page, err
	}
	licence := r.URL.Query().Get("licence")
	var shows []Show
	if licence == "" || slices.ContainsFunc(all, func(l Licence) bool { return l.ID == licence }) {
		shows, err = w.cfg.Store.Shows(r.Context(), v.PersonID, licence, maxHistory)
	}
	if err != nil {
		return page, err
	}
	for _, s := range shows {
		page.Seen = append(page.Seen, w.seen(v, s, all))
	}
	page.File = historyPath("/wallet/history.csv", licence)
	if len(all) > 1 || licence != "" {
		page.Choices = []walletpages.Choice{{Name: web.Say("wallet.history.all", nil), Href: "/wallet/history", Current: licence == ""}}
		for _, l := range all {
			page.Choices = append(page.Choices, walletpages.Choice{Name: l.Name, Href: historyPath("/wallet/history", l.ID), Current: l.ID == licence})
		}
	}
	return page, nil
}

func historyPath(path, licence string) string {
	if licence == "" {
		return path
	}
	return path + "?" + url.Values{"licence": {licence}}.Encode()
}

// history shows who saw what.
func (w *Wallet) history(rw http.ResponseWriter, r *http.Request, v visit) {
	page, err := w.past(r, v)
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	w.pages.History(rw, r, page)
}

// csv is the history as a file.
func (w *Wallet) csv(rw http.ResponseWriter, r *http.Request, v visit) {
	page, err := w.past(r, v)
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	out := httpx.NewCSV(rw, "wallet-history.csv")
	out.Row("时间 time", "证照 licence", "给谁 to whom", "用途 purpose", "内容 fields", "有效到 until", "停止 stopped", "打开次数 opened", "最后打开 last opened")
	for _, s := range page.Seen {
		whom := s.Whom
		if whom.IsZero() {
			whom = web.Say("wallet.anyone", nil)
		}
		var fields []string
		for _, f := range s.Fields {
			fields = append(fields, both(f))
		}
		out.Row(stamp(s.At), both(s.Licence), both(whom), both(s.Preset), strings.Join(fields, "; "), stamp(s.Until), stamp(s.Stopped), strconv.Itoa(s.Opened), stamp(s.LastOpened))
	}
	out.Flush()
}

func both(t web.Text) string {
	if t.ZH == t.EN || t.EN == "" {
		return t.ZH
	}
	return t.ZH + " " + t.EN
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(web.Beijing).Format("2006-01-02 15:04:05")
}

// own is the person's own page of a showing.
func (w *Wallet) own(rw http.ResponseWriter, r *http.Request, v visit) {
	secret := mux.Vars(r)["secret"]
	s, err := w.cfg.Store.Show(r.Context(), content.ShowID(secret))
	if err == nil && s.PersonID != v.PersonID {
		err = ErrNotFound
	}
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	again := licencePath(s.LicenceID) + "/show"
	if !s.open(w.cfg.Now()) {
		page := web.NewProblem("wallet_ended", nil)
		page.Status, page.Next = http.StatusGone, &web.Action{Label: web.Say("wallet.again", nil), Href: again}
		w.problem(rw, r, page)
		return
	}
	text, err := content.OpenShown(secret, s.Sealed)
	if err != nil {
		w.refuse(rw, r, v, Licence{}, err)
		return
	}
	l, _, err := w.mine(r.Context(), v.Citizen, s.LicenceID)
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	link := w.cfg.Origin + "/shown/" + secret
	w.pages.Shown(rw, r, walletpages.ShownPage{Licence: l.Name, Asker: s.AskerName, Purpose: presetName(l, s.Preset), Link: link, File: link + "/file", Text: text,
		Made: s.CreatedAt, Until: s.ExpiresAt, Opened: s.Opened, LastOpened: s.LastOpenedAt, ID: s.ID, CSRF: w.token(v), Again: again, Self: "/wallet/shown/" + secret})
}

var isoDay = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// valueText is the value of a claim in words: dates in full, 女 for female, lists joined.
func valueText(name string, value any) web.Text {
	switch x := value.(type) {
	case string:
		switch {
		case name == "sex":
			return web.ClaimValue("gender", x)
		case isoDay.MatchString(x):
			return web.ISODate(x)
		case strings.ContainsFunc(x, func(r rune) bool { return unicode.Is(unicode.Han, r) }):
			return web.Text{ZH: x}
		}
		return web.Picture(x)
	case []string:
		return web.Text{ZH: strings.Join(x, "、"), EN: strings.Join(x, ", ")}
	case []any:
		var all []string
		for _, e := range x {
			all = append(all, fmt.Sprint(e))
		}
		return valueText(name, all)
	}
	return web.Plain(fmt.Sprint(value))
}
