package province

import (
	"strings"
	"unicode"
)

// maxQuery bounds how much of a query is read, in characters; the longest name has far fewer.
const maxQuery = 64

// Search returns the provinces that a typed query may mean: whole matches first, then the rest, both in the order of All. It matches Chinese names (广东, 广东省),
// pinyin (guangdong, guang dong), initials (gd), letter code, 简称 (粤), app names (粤省事), English names and codes (44,
// 440000); a Chinese address is found by the province that it begins with. Full-width letters, case, spaces and punctuation do not matter. An empty query returns all of them.
//
// Short Latin queries match from the beginning of a word only, so that "gd" doesn't bring every name containing the letters.
func Search(query string) []Province {
	q := fold(query)
	if q == "" {
		return All()
	}
	var exact, found []Province
	for _, p := range all {
		switch p.match(q) {
		case matchExact:
			exact = append(exact, p)
		case matchPart:
			found = append(found, p)
		}
	}
	return append(exact, found...)
}

type match int

const (
	matchNone match = iota
	matchPart
	matchExact
)

func (p Province) match(q string) match {
	names := append([]string{p.Name, p.Short, p.English, p.Letters, p.Abbr, p.AltAbbr, p.Pinyin, p.Initials, p.App, string(p.Code)}, p.AltApps...)
	if alias, ok := aliases[p.Code]; ok {
		names = append(names, alias...)
	}
	best := matchNone
	if !isLatin(q) && strings.HasPrefix(q, p.Short) {
		best = matchPart
	}
	for _, n := range names {
		n = fold(n)
		switch {
		case n == "":
		case n == q:
			return matchExact
		case isLatin(q) && strings.HasPrefix(n, q), !isLatin(q) && strings.Contains(n, q):
			best = matchPart
		}
	}
	return best
}

// aliases are further spellings that people type.
var aliases = map[Code][]string{
	"150000": {"Nei Mongol", "nm"},
	"450000": {"Guangxi Zhuang"},
	"540000": {"Xizang", "Tibet"},
	"610000": {"shanxi", "Shensi"}, // 陕西 typed as it sounds
	"640000": {"Ningxia Hui"},
	"650000": {"Xinjiang Uygur", "Uyghur"},
	"660000": {"Bingtuan", "xinjiangshengchanjianshebingtuan", "xjbt"},
}

// fold makes spellings comparable: full-width forms to ASCII, lower case, without spaces and punctuation.
func fold(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFEE0
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		if n++; n > maxQuery {
			break
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func isLatin(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII {
			return false
		}
	}
	return true
}
