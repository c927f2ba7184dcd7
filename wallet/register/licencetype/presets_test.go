package licencetype

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The metadata of a type are pinned by hash in every credential: presets are for pages and must not change them.
func TestPresetsAreNoPartOfTheMetadata(t *testing.T) {
	all, err := Load("http://localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if len(x.Presets) == 0 {
			t.Errorf("%s has no presets", x.ID)
		}
		bare := x
		bare.Presets = nil
		metadata, err := bare.metadata()
		if err != nil || !bytes.Equal(metadata, x.Metadata) {
			t.Errorf("%s: presets change the metadata (%v)", x.ID, err)
		}
	}
}

func TestPresetsOfATypeFileAreChecked(t *testing.T) {
	raw, err := typeFiles.ReadFile("types/driving-licence/1.json")
	if err != nil {
		t.Fatal(err)
	}
	with := func(presets string) error {
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		doc["presets"] = json.RawMessage(presets)
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseType(b, "http://localhost")
		return err
	}
	const good = `{"id":"age","name":{"zh":"年龄","en":"Age"},"claims":["birth_date"]}`
	if err := with("[" + good + "]"); err != nil {
		t.Errorf("the twin: %v", err)
	}
	for name, bad := range map[string]string{
		"twice":            good + "," + good,
		"reserved":         strings.Replace(good, `"age"`, `"chosen"`, 1),
		"no name":          strings.Replace(good, `"age"`, `"../x"`, 1),
		"one language":     strings.Replace(good, `,"en":"Age"`, ``, 1),
		"no claims":        strings.Replace(good, `"birth_date"`, ``, 1),
		"unknown claim":    strings.Replace(good, `birth_date`, `weight`, 1),
		"claim twice":      strings.Replace(good, `"birth_date"`, `"birth_date","birth_date"`, 1),
		"an unknown field": strings.Replace(good, `"id"`, `"x":1,"id"`, 1),
	} {
		if with("["+bad+"]") == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
