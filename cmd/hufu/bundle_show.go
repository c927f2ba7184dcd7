package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hufu-id/hufu/signing/bundle"
)

// bundleView is what hufu bundle show --json prints.
type bundleView struct {
	Verified bool             `json:"verified"`
	Current  bool             `json:"current"`
	Version  int64            `json:"version"`
	Digest   string           `json:"digest"`
	AsOf     time.Time        `json:"as_of"`
	Expires  time.Time        `json:"expires"`
	Root     rootView         `json:"root"`
	Roles    map[string]int64 `json:"roles"`
	Anchors  []string         `json:"anchors"`
	// IACA is the SHA-256 of the certificate that mdocs lead to; other readers of mdocs are given it by hand, so it is worth comparing.
	IACA     []string     `json:"iaca"`
	Issuers  []issuerView `json:"issuers"`
	Types    []string     `json:"types"`
	Lists    []listView   `json:"status_lists"`
	CWTLists []string     `json:"status_lists_cwt"`
	Images   []string     `json:"images"`
}

type rootView struct {
	Version     int64  `json:"version"`
	Fingerprint string `json:"fingerprint"`
}

type issuerView struct {
	ID         string            `json:"id"`
	Code       string            `json:"code"`
	Name       map[string]string `json:"name"`
	Authorised []string          `json:"authorised"`
	Revoked    int               `json:"revoked_keys"`
}

type listView struct {
	URI      string    `json:"uri"`
	IssuedAt time.Time `json:"issued_at"`
}

func viewOf(l loadedBundle) bundleView {
	c := l.contents
	v := bundleView{
		Verified: l.verified, Current: l.verified && l.err == nil, Version: c.Version, Digest: c.Digest, AsOf: c.AsOf, Expires: c.Expires,
		Root: rootView{c.RootVersion, c.RootFingerprint}, Roles: c.Roles,
		Anchors: []string{}, Issuers: []issuerView{}, IACA: []string{}, Types: slices.Sorted(maps.Keys(c.Types)), Lists: []listView{},
		CWTLists: append([]string{}, slices.Sorted(maps.Keys(c.CWTLists))...), Images: append([]string{}, slices.Sorted(maps.Keys(c.Images))...),
	}
	for _, a := range c.Anchors {
		v.Anchors = append(v.Anchors, a.Purpose+" "+bundle.Fingerprint(a.DER))
		if a.Purpose == "iaca" {
			v.IACA = append(v.IACA, bundle.Fingerprint(a.DER))
		}
	}
	for _, i := range c.Issuers {
		iv := issuerView{ID: i.ID, Code: i.Code, Name: i.Name, Authorised: []string{}, Revoked: len(i.Revoked)}
		for _, a := range i.Authorised {
			iv.Authorised = append(iv.Authorised, describeAuthorisation(a))
		}
		v.Issuers = append(v.Issuers, iv)
	}
	for _, uri := range slices.Sorted(maps.Keys(c.StatusLists)) {
		v.Lists = append(v.Lists, listView{uri, claimedIssue(c.StatusLists[uri])})
	}
	return v
}

func describeAuthorisation(a bundle.Authorisation) string {
	s := a.VCT
	if a.DocType != "" {
		s += " mdoc=" + a.DocType
	}
	if a.Region != "" {
		s += " region=" + a.Region
	}
	if !a.From.IsZero() {
		s += " from=" + a.From.Format(time.DateOnly)
	}
	if !a.To.IsZero() {
		s += " to=" + a.To.Format(time.DateOnly)
	}
	return s
}

// claimedIssue is the iat that a status list token claims. It is for display: the token's own signature is checked by
// the verifier, where it counts.
func claimedIssue(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	if json.Unmarshal(raw, &claims) != nil || claims.IssuedAt == 0 {
		return time.Time{}
	}
	return time.Unix(claims.IssuedAt, 0).UTC()
}

func showJSON(w io.Writer, l loadedBundle) error { return writeJSON(w, viewOf(l)) }

func showText(w io.Writer, lang string, l loadedBundle, now time.Time) {
	v := viewOf(l)
	line := func(indent int, format string, args ...any) {
		fmt.Fprintln(w, strings.Repeat("  ", indent)+clean(fmt.Sprintf(format, args...)))
	}
	if v.Verified {
		line(0, "%s", say(lang, "verified"))
	} else {
		line(0, "%s", say(lang, "not_verified"))
	}
	line(0, "%s %d", say(lang, "version"), v.Version)
	line(0, "%s SHA-256 %s", say(lang, "digest"), v.Digest)
	line(0, "%s %s", say(lang, "as_of"), say(lang, "age", stampOf(v.AsOf), age(lang, now.Sub(v.AsOf))))
	if left := v.Expires.Sub(now); left > 0 {
		line(0, "%s %s", say(lang, "expires"), say(lang, "left", stampOf(v.Expires), age(lang, left)))
	} else {
		line(0, "%s %s", say(lang, "expires"), say(lang, "over", stampOf(v.Expires), age(lang, -left)))
	}
	line(0, "%s %s", say(lang, "root"), say(lang, "root_value", v.Root.Version))
	line(1, "%s", v.Root.Fingerprint)
	line(1, "%s", say(lang, "compare"))
	line(0, "%s", say(lang, "roles"))
	for _, name := range slices.Sorted(maps.Keys(v.Roles)) {
		line(1, "%s %d", name, v.Roles[name])
	}
	line(0, "%s", say(lang, "anchors"))
	for _, a := range v.Anchors {
		line(1, "%s", a)
	}
	for _, f := range v.IACA {
		line(0, "%s", say(lang, "iaca"))
		line(1, "%s", f)
		line(1, "%s", say(lang, "compare"))
	}
	showIssuers(line, lang, v.Issuers)
	line(0, "%s", say(lang, "types"))
	for _, vct := range v.Types {
		line(1, "%s", vct)
	}
	for _, uri := range v.Images {
		line(1, "%s", uri)
	}
	line(0, "%s", say(lang, "lists"))
	for _, l := range v.Lists {
		line(1, "%s", say(lang, "list_value", l.URI, stampOf(l.IssuedAt), age(lang, now.Sub(l.IssuedAt))))
	}
	for _, uri := range v.CWTLists {
		line(1, "%s  CWT", uri)
	}
}

func showIssuers(line func(int, string, ...any), lang string, issuers []issuerView) {
	line(0, "%s", say(lang, "issuers"))
	for _, i := range issuers {
		name := i.Name[lang]
		if name == "" {
			name = i.Name["zh"]
		}
		line(1, "%s  %s", i.Code, name)
		line(2, "%s", i.ID)
		for _, a := range i.Authorised {
			line(2, "%s", say(lang, "may_issue", a))
		}
		if len(i.Authorised) == 0 {
			line(2, "%s", say(lang, "nothing"))
		}
		if i.Revoked > 0 {
			line(2, "%s", say(lang, "revoked_keys", i.Revoked))
		}
	}
}

// clean drops control and formatting characters: a name in a bundle that nobody verified must not steer the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format(time.RFC3339)
}

// age rounds to what a person wants to know.
func age(lang string, d time.Duration) string {
	unit := map[bool][3]string{true: {"天", "小时", "分钟"}, false: {" d", " h", " min"}}[lang == "zh"]
	d = max(d, 0)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d%s", d/(24*time.Hour), unit[0])
	case d >= time.Hour:
		return fmt.Sprintf("%d%s", d/time.Hour, unit[1])
	}
	return fmt.Sprintf("%d%s", d/time.Minute, unit[2])
}
