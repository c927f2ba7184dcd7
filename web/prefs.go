package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Names of the cookies that keep a person's choices. They hold no secret and no identity.
const (
	langCookie = "__Host-hufu-lang"
	modeCookie = "__Host-hufu-mode"
)

// View is how the person reads: language, mode, and the address that switches of the head keep.
type View struct {
	Lang   Lang
	Senior bool
	query  url.Values
	get    bool
}

type viewKey struct{}

// Preferences reads ?lang=zh|en and ?mode=senior|standard, keeps a choice in a cookie for a year, and serves the page in it. Other
// values are ignored. It must stand outside every handler that shows a page.
func (p *Pages) Preferences(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			q := r.URL.Query()
			lang, mode := chosen(q, "lang", "zh", "en"), chosen(q, "mode", "senior", "standard")
			keep(w, langCookie, lang)
			keep(w, modeCookie, mode)
			if lang != "" || mode != "" {
				r = r.WithContext(context.WithValue(r.Context(), viewKey{}, choice{lang, mode}))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// choice is what this very request chose, which its cookies don't know yet.
type choice struct{ lang, mode string }

// chosen returns the one value of key when it is allowed.
func chosen(q url.Values, key string, allowed ...string) string {
	if len(q[key]) != 1 {
		return ""
	}
	for _, a := range allowed {
		if q.Get(key) == a {
			return a
		}
	}
	return ""
}

func keep(w http.ResponseWriter, name, value string) {
	if value == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// viewOf returns how r's reader reads.
func viewOf(r *http.Request) View {
	c, _ := r.Context().Value(viewKey{}).(choice)
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	v := View{query: r.URL.Query(), get: get, Senior: cookieOr(r, modeCookie, c.mode) == "senior"}
	switch l := cookieOr(r, langCookie, c.lang); {
	case l == "zh" || l == "en":
		v.Lang = Lang(l)
	default:
		v.Lang = wanted(r)
	}
	return v
}

// PageLang returns the language in which pages answer r.
func PageLang(r *http.Request) Lang { return viewOf(r).Lang }

func cookieOr(r *http.Request, name, now string) string {
	if now != "" {
		return now
	}
	if c, err := r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}

// wanted picks a language by ui_locales, then Accept-Language, then Chinese.
func wanted(r *http.Request) Lang {
	for _, tag := range strings.Fields(r.URL.Query().Get("ui_locales")) {
		if l, ok := langOf(tag); ok {
			return l
		}
	}
	best, bestQ := ZH, 0.0
	for i, item := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		if i == 32 { // a browser sends a few: don't sort a novel
			break
		}
		tag, param, _ := strings.Cut(strings.TrimSpace(item), ";")
		q := 1.0
		if s, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, _ = strconv.ParseFloat(s, 64)
		}
		if l, ok := langOf(tag); ok && q > bestQ && q <= 1 {
			best, bestQ = l, q
		}
	}
	return best
}

func langOf(tag string) (Lang, bool) {
	base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	switch base {
	case "zh":
		return ZH, true
	case "en":
		return EN, true
	}
	return "", false
}

// CanSwitch reports whether the address of this page can be opened again to show it differently; the answer to a form can't.
func (v View) CanSwitch() bool { return v.get }

// OtherLink shows this page in the other language, SeniorLink and StandardLink in the other mode.
func (v View) OtherLink() string { return v.link("lang", string(v.other())) }

// SeniorLink shows this page in senior mode.
func (v View) SeniorLink() string { return v.link("mode", "senior") }

// StandardLink shows this page in standard mode.
func (v View) StandardLink() string { return v.link("mode", "standard") }

// OtherTag is the BCP 47 tag of the other language.
func (v View) OtherTag() string { return v.other().Tag() }

// OtherName is the other language's name in itself.
func (v View) OtherName() string {
	if v.other() == EN {
		return "English"
	}
	return "中文"
}

func (v View) other() Lang {
	if v.Lang == EN {
		return ZH
	}
	return EN
}

// link returns a relative link to the page being shown with one parameter set: path and the other parameters stay.
func (v View) link(key, value string) string {
	q := url.Values{}
	for k, vs := range v.query {
		q[k] = vs
	}
	q.Set(key, value)
	return "?" + q.Encode()
}
