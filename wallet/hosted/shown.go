package hosted

import (
	"cmp"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/walletpages"
)

// opened counts one opening of a link and returns what was shown. ErrNotFound when it is unknown, expired or stopped: nobody is told which.
func (w *Wallet) opened(r *http.Request) (Show, string, error) {
	secret := mux.Vars(r)["secret"]
	if len(secret) < 16 || len(secret) > 64 {
		return Show{}, "", ErrNotFound
	}
	id, now := content.ShowID(secret), w.cfg.Now()
	// Reading first: whoever guesses links must not make the database write.
	if known, err := w.cfg.Store.Show(r.Context(), id); err != nil || !known.open(now) {
		return Show{}, "", cmp.Or(err, ErrNotFound)
	}
	s, err := w.cfg.Store.OpenShow(r.Context(), id, now, audit.Event{Kind: "wallet.shown_opened", Actor: "link", Detail: map[string]string{"show": id}})
	if err != nil {
		return Show{}, "", err
	}
	text, err := content.OpenShown(secret, s.Sealed)
	return s, text, err
}

// wantsText says whether a program asks.
func wantsText(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), sdjwt.MediaType)
}

// noShown answers a link that leads nowhere, in one way whatever the cause.
func (w *Wallet) noShown(rw http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusNotFound
	page := web.NewProblem("shown_gone", nil)
	if !errors.Is(err, ErrNotFound) {
		w.cfg.Log.ErrorContext(r.Context(), "hosted: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
		status, page = http.StatusInternalServerError, web.NewProblem(web.ProblemInternal, nil)
	}
	if wantsText(r) {
		httpx.WriteJSON(rw, status, map[string]string{"error": map[bool]string{true: "not_found", false: "server_error"}[status == http.StatusNotFound]})
		return
	}
	page.Status = status
	w.cfg.Pages.Problem(rw, r, page)
}

// shown is the link of a showing: the presentation for a program, a page for a person.
func (w *Wallet) shown(rw http.ResponseWriter, r *http.Request) {
	s, text, err := w.opened(r)
	if err != nil {
		w.noShown(rw, r, err)
		return
	}
	rw.Header().Add("Vary", "Accept")
	if wantsText(r) {
		writeShown(rw, text)
		return
	}
	if s.Asker != "" {
		// Whoever asked has a counter of their own, which knows the question. Anybody else who got hold of the link learns nothing here but that.
		w.pages.Public(rw, r, walletpages.PublicPage{Asker: s.AskerName, Counter: s.Audience})
		return
	}
	w.public(rw, r, s, text)
}

// file is the same presentation to be saved and checked elsewhere.
func (w *Wallet) file(rw http.ResponseWriter, r *http.Request) {
	s, text, err := w.opened(r)
	if err != nil {
		w.noShown(rw, r, err)
		return
	}
	ending := ".sd-jwt"
	if verify.IsMdoc(text) {
		ending = ".mdoc"
	}
	rw.Header().Set("Content-Disposition", `attachment; filename="`+s.TypeID+ending+`"`)
	writeShown(rw, text)
}

// writeShown writes a presentation for a program: SD-JWT as it is, a DeviceResponse as CBOR.
func writeShown(rw http.ResponseWriter, text string) {
	rw.Header().Set("Cache-Control", "no-store")
	b, mediaType := []byte(text), sdjwt.MediaType
	if doc, err := base64.RawURLEncoding.DecodeString(text); err == nil && verify.IsMdoc(text) {
		b, mediaType = doc, "application/cbor"
	}
	rw.Header().Set("Content-Type", mediaType)
	_, _ = rw.Write(b)
}

// public judges what was shown unasked and shows the verdict.
func (w *Wallet) public(rw http.ResponseWriter, r *http.Request, s Show, text string) {
	verdict, err := w.cfg.Verifier.Verify(r.Context(), text, s.Audience, w.cfg.Now())
	if err != nil {
		w.noShown(rw, r, err)
		return
	}
	zh, en := verdict.Sheet("zh"), verdict.Sheet("en")
	page := walletpages.PublicPage{Licence: web.Text{ZH: zh.Type, EN: en.Type}, Outcome: walletpages.Outcome(verdict.Outcome()), Word: web.Text{ZH: zh.Word, EN: en.Word},
		Reason: web.Text{ZH: zh.Reason, EN: en.Reason}, Issuer: web.Text{ZH: zh.Issuer, EN: en.Issuer}, Made: s.CreatedAt, Until: s.ExpiresAt,
		Purpose: w.cfg.Verifier.Purpose(s.TypeID, s.Preset), File: "/shown/" + mux.Vars(r)["secret"] + "/file"}
	claims := verdict.Claims()
	if name, ok := claims["name"].(string); ok {
		page.Person = web.Text{ZH: name}
	}
	for i, x := range zh.Shown {
		page.Shown = append(page.Shown, web.Fact{Label: web.Text{ZH: x.Label, EN: en.Shown[i].Label}, Value: valueText(x.Name, claims[x.Name])})
	}
	for i, x := range zh.Hidden {
		page.Hidden = append(page.Hidden, web.Text{ZH: x, EN: en.Hidden[i]})
	}
	for i, x := range zh.Checks {
		page.Checks = append(page.Checks, walletpages.Check{Result: string(x.Result), Label: web.Text{ZH: x.Label, EN: en.Checks[i].Label},
			Said: web.Text{ZH: x.Said, EN: en.Checks[i].Said}, Age: web.Text{ZH: x.Age, EN: en.Checks[i].Age}})
	}
	page.Facts = asOf(zh, en)
	page.Steps = nextSteps(verdict)
	w.pages.Public(rw, r, page)
}

// asOf says how old the knowledge of a verdict is.
func asOf(zh, en verify.Sheet) []web.Fact {
	var out []web.Fact
	for _, f := range []struct {
		label  web.Text
		zh, en string
	}{
		{web.Say("shown.asof.status", nil), zh.Status, en.Status}, {web.Say("shown.asof.bundle", nil), zh.Bundle, en.Bundle},
		{web.Say("shown.asof.checked", nil), zh.Checked, en.Checked},
	} {
		if f.zh != "" {
			out = append(out, web.Fact{Label: f.label, Value: web.Text{ZH: f.zh, EN: f.en}})
		}
	}
	return out
}

// nextSteps is what whoever looks should do now.
func nextSteps(v verify.Verdict) []web.Text {
	switch v.Outcome() {
	case verify.Valid:
		return []web.Text{web.Say("shown.do.valid.1", nil), web.Say("shown.do.valid.2", nil)}
	case verify.Invalid:
		return []web.Text{web.Say("shown.do.invalid.1", nil), web.Say("shown.do.invalid.2", nil)}
	}
	return []web.Text{web.Say("shown.do.cannot_tell.1", nil), web.Say("shown.do.cannot_tell.2", nil)}
}
