package catalog_test

import (
	"testing"

	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
)

func driving() catalog.CredentialType {
	return catalog.CredentialType{ID: "driving-licence", VCT: "http://hufu.test/types/driving-licence/1", VCTIntegrity: "sha256-x", RequiredACR: "loa3",
		Claims: []catalog.Claim{{Path: sdjwt.P("name"), Selective: true}}}
}

func TestNewRefusesWhatCannotBeServed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *catalog.Authority)
		ok     bool
	}{
		"all right":                  {func(*catalog.Authority) {}, true},
		"a code with a slash":        {func(a *catalog.Authority) { a.Code = "a/b" }, false},
		"no code":                    {func(a *catalog.Authority) { a.Code = "" }, false},
		"a type without integrity":   {func(a *catalog.Authority) { a.Types[0].VCTIntegrity = "" }, false},
		"a scope with a space":       {func(a *catalog.Authority) { a.Types[0].ID = "driving licence" }, false},
		"an unknown level":           {func(a *catalog.Authority) { a.Types[0].RequiredACR = "high" }, false},
		"a claim named exp":          {func(a *catalog.Authority) { a.Types[0].Claims[0].Path = sdjwt.P("exp") }, false},
		"a claim named status":       {func(a *catalog.Authority) { a.Types[0].Claims[0].Path = sdjwt.P("status", "x") }, false},
		"a claim without a path":     {func(a *catalog.Authority) { a.Types[0].Claims[0].Path = nil }, false},
		"a claim path of an index":   {func(a *catalog.Authority) { a.Types[0].Claims[0].Path = sdjwt.Path{0} }, false},
		"a nested claim of a member": {func(a *catalog.Authority) { a.Types[0].Claims[0].Path = sdjwt.Path{"list", nil} }, true},
	} {
		a := catalog.Authority{Code: "1199440000TRY002X9", Types: []catalog.CredentialType{driving()}}
		c.change(&a)
		if _, err := catalog.New("http://hufu.test", []catalog.Authority{a}, catalog.Offers{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := catalog.Authority{Code: "A"}
	if _, err := catalog.New("http://hufu.test", []catalog.Authority{one, one}, catalog.Offers{}); err == nil {
		t.Error("an authority twice")
	}
}

// A type that two authorities issue is one scope for both, at the stricter of the two levels.
func TestScopeJoinsAuthorities(t *testing.T) {
	strict := driving()
	strict.RequiredACR = "loa4"
	c, err := catalog.New("http://hufu.test", []catalog.Authority{
		{Code: "B", Types: []catalog.CredentialType{driving()}}, {Code: "A", Types: []catalog.CredentialType{strict}}}, catalog.Offers{})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := c.Scope("driving-licence")
	if !ok || len(s.Audience) != 2 || s.Audience[0] != "http://hufu.test/i/A" || s.RequiredACR != "loa4" {
		t.Errorf("%+v", s)
	}
	if _, ok := c.Scope("openid"); ok {
		t.Error("openid is no credential")
	}
}

func TestLevelEnough(t *testing.T) {
	for _, c := range []struct {
		have, required string
		want           bool
	}{{"loa3", "loa3", true}, {"loa4", "loa3", true}, {"loa2", "loa3", false}, {"", "loa1", false}, {"", "", true}, {"loa9", "loa1", false},
		{"loa33", "loa3", false}, {"loa4", "high", false}} {
		if got := catalog.LevelEnough(c.have, c.required); got != c.want {
			t.Errorf("%q for %q: %v", c.have, c.required, got)
		}
	}
}
