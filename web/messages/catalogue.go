package messages

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed zh.json en.json
var files embed.FS

// catalogue maps a key to its parsed pattern, one map per language.
var catalogue = mustLoad()

func mustLoad() map[Lang]map[string]pattern {
	all := map[Lang]map[string]pattern{}
	for _, l := range Langs {
		m, err := load(l)
		if err != nil {
			panic(err) // the file is compiled in: a broken one can't be worked around
		}
		all[l] = m
	}
	return all
}

func load(l Lang) (map[string]pattern, error) {
	b, err := files.ReadFile(string(l) + ".json")
	if err != nil {
		return nil, err
	}
	var raw map[string]string
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("messages: %s.json: %w", l, err)
	}
	m := make(map[string]pattern, len(raw))
	for k, v := range raw {
		p, err := parse(v)
		if err != nil {
			return nil, fmt.Errorf("messages: %s.json: %s: %w", l, k, err)
		}
		m[k] = p
	}
	return m, nil
}

// Has reports whether key exists in every language.
func Has(key string) bool {
	for _, l := range Langs {
		if _, ok := catalogue[l][key]; !ok {
			return false
		}
	}
	return true
}

// Say returns the message key in every language with its placeholders filled from args. It panics when the key does not exist: the
// tests render every page, so that is a fault of the program and not of its input.
func Say(key string, args Args) Text {
	return Text{ZH: In(ZH, key, args), EN: In(EN, key, args)}
}

// In returns the message key in language l as plain text; see Say.
func In(l Lang, key string, args Args) string { return find(l, key).fill(l, args, true) }

// Marked returns the message with its marks: "|" where a Chinese line may break, "**" around what is bold. Arguments are not searched for
// marks, so pass placeholders and replace them after the marks were read.
func Marked(l Lang, key string, args Args) string { return find(l, key).fill(l, args, false) }

func find(l Lang, key string) pattern {
	p, ok := catalogue[l][key]
	if !ok {
		panic("messages: no message " + key + " in " + string(l))
	}
	return p
}
