package web

import (
	"regexp"
	"time"

	"github.com/hufu-id/hufu/web/messages"
)

// Say returns a message of the catalogue in all languages. It panics when key does not exist.
func Say(key string, args Args) Text { return messages.Say(key, args) }

// ClaimLabel returns the label for an OpenID Connect claim ("name" is 姓名), or the claim name itself when there is none.
func ClaimLabel(claim string) Text {
	if key := "claim." + claim; messages.Has(key) {
		return Say(key, nil)
	}
	return Plain(claim)
}

// ClaimValue returns the words for a claim's value: a date in full, "female" as 女, a picture as one, anything else as it is. Names are marked as Chinese.
func ClaimValue(claim, value string) Text {
	switch claim {
	case "birthdate":
		return ISODate(value)
	case "gender":
		if key := "gender." + value; messages.Has(key) {
			return Say(key, nil)
		}
	case "name":
		return Text{ZH: value}
	}
	return Picture(value)
}

// dataURL is a picture of a type without scripts, whole and nothing after it.
var dataURL = regexp.MustCompile(`^data:image/(jpeg|png);base64,[A-Za-z0-9+/]+={0,2}$`)

// Picture returns a data URL of a JPEG or PNG as a text that pages draw, and any other value as it is.
func Picture(value string) Text {
	if !dataURL.MatchString(value) {
		return Plain(value)
	}
	t := Say("picture", nil)
	t.Picture = value
	return t
}

// LevelText returns the words for "loa1" to "loa4" ("三级", "Level 3"), or the code itself when it is another.
func LevelText(acr string) Text {
	if key := "level." + acr; messages.Has(key) {
		return Say(key, nil)
	}
	return Plain(acr)
}

// Beijing is the time zone of every date and time on a page. China has no daylight saving time, so no zone file is needed.
var Beijing = time.FixedZone("CST", 8*3600)

// Date returns the day of t in Beijing: 2026年11月21日, 21 November 2026. The zero time is empty text.
func Date(t time.Time) Text {
	if t.IsZero() {
		return Text{}
	}
	t = t.In(Beijing)
	return Text{ZH: t.Format("2006年1月2日"), EN: t.Format("2 January 2006")}
}

// Clock returns the time of day of t in Beijing, 24 hours.
func Clock(t time.Time) string { return t.In(Beijing).Format("15:04") }

// ISODate returns the words for a date in a claim ("1958-03-12"), or s itself when it is no such date.
func ISODate(s string) Text {
	t, err := time.ParseInLocation(time.DateOnly, s, Beijing)
	if err != nil || t.Year() == 0 { // year 0 means unknown (OpenID Connect Core 5.1)
		return Plain(s)
	}
	return Date(t)
}
