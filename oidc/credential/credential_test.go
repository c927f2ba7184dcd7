package credential_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/hufu-id/hufu/oidc/credential"
)

type shelf struct{}

func (shelf) Configuration(id string) (credential.Configuration, bool) {
	return credential.Configuration{ID: id, Scope: "licence", Issuers: []string{"https://a.example/i/1", "https://a.example/i/2"}}, id == "licence"
}

func (shelf) Identifiers(_ context.Context, h credential.Holder, id string, issuers []string) ([]string, error) {
	var out []string
	for range issuers {
		out = append(out, id+h.PersonID)
	}
	return out, nil
}

// Two requests for the same are the same bytes: a person who agreed to one has agreed to the other.
func TestAskIsCanonical(t *testing.T) {
	a, _, err := credential.Ask(json.RawMessage(`{"type":"openid_credential","credential_configuration_id":"licence","locations":["https://a.example/i/2","https://a.example/i/1","https://a.example/i/2"]}`), shelf{})
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := credential.Ask(json.RawMessage(` {"x":{"y":[1]}, "locations":["https://a.example/i/1","https://a.example/i/2"],"credential_identifiers":["mine"],
		"credential_configuration_id":"licence","type":"openid_credential"}`), shelf{})
	if err != nil || string(a) != string(b) {
		t.Errorf("%s\n%s\n%v", a, b, err)
	}
}

func TestGrantLeavesOutWhatNobodyHas(t *testing.T) {
	other := json.RawMessage(`{"type":"enquiry"}`)
	got, err := credential.Grant(context.Background(), shelf{}, credential.Holder{PersonID: "-li"}, []json.RawMessage{other,
		json.RawMessage(`{"type":"openid_credential","credential_configuration_id":"licence","locations":["https://a.example/i/1"]}`),
		json.RawMessage(`{"type":"openid_credential","credential_configuration_id":"gone"}`)})
	if err != nil || len(got) != 2 || string(got[0]) != string(other) {
		t.Fatalf("%s %v", got, err)
	}
	if d := credential.Granted(got); len(d) != 1 || !slices.Equal(d[0].Identifiers, []string{"licence-li"}) {
		t.Errorf("%+v", d)
	}
	if a := credential.Audience(got, shelf{}); !slices.Equal(a, []string{"https://a.example/i/1"}) {
		t.Errorf("%v", a)
	}
	if left := credential.Allowed(got, shelf{}, func(string) bool { return false }); len(left) != 1 {
		t.Errorf("%s", left)
	}
}

func TestNarrow(t *testing.T) {
	granted := []json.RawMessage{json.RawMessage(`{"type":"enquiry","actions":["balance"]}`),
		json.RawMessage(`{"type":"openid_credential","credential_configuration_id":"licence","locations":["https://a.example/i/1"],"credential_identifiers":["l1"]}`)}
	for name, c := range map[string]struct {
		asked string
		n     int
		err   error
	}{
		"one":                    {`[{"actions":["balance"],"type":"enquiry"}]`, 1, nil},
		"credential":             {`[{"type":"openid_credential","credential_configuration_id":"licence"}]`, 1, nil},
		"credential as answered": {"[" + string(granted[1]) + "]", 1, nil},
		"both, one of them twice": {`[{"type":"openid_credential","credential_configuration_id":"licence"},{"type":"enquiry","actions":["balance"]},{"type":"enquiry","actions":["balance"]}]`,
			2, nil},
		"other location": {`[{"type":"openid_credential","credential_configuration_id":"licence","locations":["https://a.example/i/2"]}]`, 0, credential.ErrDetail},
		"wider":          {`[{"type":"enquiry"}]`, 0, credential.ErrDetail},
		"other type":     {`[{"type":"payment","credential_configuration_id":"licence"}]`, 0, credential.ErrDetail},
		"no list":        {`{}`, 0, credential.ErrList},
	} {
		got, err := credential.Narrow(granted, c.asked)
		if len(got) != c.n || !errors.Is(err, c.err) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}

func FuzzDetail(f *testing.F) {
	f.Add(`[{"type":"openid_credential","credential_configuration_id":"licence","locations":["https://a.example/i/1"]}]`)
	f.Add(`[{"type":"openid_credential","Type":"x"}]`)
	f.Add(`[{"type":"enquiry","actions":["balance"]},{"type":"openid_credential","credential_configuration_id":"licence","locations":null}]`)
	f.Fuzz(func(t *testing.T, raw string) {
		list, err := credential.List(raw)
		if err != nil {
			return
		}
		for _, one := range list {
			kept, c, err := credential.Ask(one, shelf{})
			if err != nil {
				continue
			}
			again, _, err := credential.Ask(kept, shelf{})
			if err != nil || string(again) != string(kept) || c.ID != "licence" {
				t.Errorf("%s becomes %s becomes %s: %v", one, kept, again, err)
			}
			if _, err := credential.Narrow([]json.RawMessage{kept}, "["+string(kept)+"]"); err != nil {
				t.Errorf("%s is not granted by itself: %v", kept, err)
			}
		}
	})
}
