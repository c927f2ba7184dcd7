package messages

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
)

// One pair of files for what all pages share (zh.json, en.json), and one for each area of pages ("wallet.zh.json").
//
//go:embed *.json
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
	names, err := fs.Glob(files, "*"+string(l)+".json")
	if err != nil {
		return nil, err
	}
	m := map[string]pattern{}
	for _, name := range names {
		if err := add(m, name); err != nil {
			return nil, fmt.Errorf("messages: %s: %w", name, err)
		}
	}
	return m, nil
}

// add reads one file. A key that another file has too is a mistake: which one was shown would depend on their names.
func add(m map[string]pattern, name string) error {
	b, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	var raw map[string]string
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for k, v := range raw {
		if _, twice := m[k]; twice {
			return fmt.Errorf("%s is in another file too", k)
		}
		if m[k], err = parse(v); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
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
