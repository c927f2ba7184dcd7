// Package messages is the catalogue of every sentence that Hufu shows to a person, in Chinese (zh-Hans) and English.
//
// One JSON file per language (zh.json, en.json) maps a key to a pattern. A pattern may hold arguments ("{name}") and, for
// counted things, the plural form of ICU MessageFormat: "{n, plural, one {# item} other {# items}}". A key that is missing in
// either language fails the tests of this package; Say panics on it, because it is a programming error.
//
// The catalogue is read once, when the program starts, and is immutable: all functions are safe for concurrent use.
package messages

// Lang is a language of the pages.
type Lang string

// The languages of the catalogue.
const (
	ZH Lang = "zh"
	EN Lang = "en"
)

// Langs lists the languages that are complete.
var Langs = []Lang{ZH, EN}

// Tag returns the BCP 47 tag for lang attributes and the Content-Language header.
func (l Lang) Tag() string {
	if l == EN {
		return "en"
	}
	return "zh-Hans-CN"
}

// Text is one piece of text in both languages. EN may be empty where no English exists (a person's name): pages then show ZH,
// marked as Chinese. The zero value is empty text.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
	// Picture is the data URL of a picture, which pages draw with the words as its description. Set it with web.Picture only.
	Picture string `json:"-"`
}

// In returns the text for l and the language it is really in, which differs from l when a translation is missing.
func (t Text) In(l Lang) (string, Lang) {
	switch {
	case l == EN && t.EN != "":
		return t.EN, EN
	case l == EN:
		return t.ZH, ZH
	case t.ZH == "":
		return t.EN, EN
	}
	return t.ZH, ZH
}

// IsZero reports whether there is no text in any language.
func (t Text) IsZero() bool { return t == Text{} }

// Args are the named arguments of a message.
type Args map[string]Text
