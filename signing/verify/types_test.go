package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// withTypes puts documents into the bundle, by vct.
func (w *world) withTypes(documents map[string]string) *world {
	return w.edited(func(c *bundle.Contents) {
		c.Types = map[string]bundle.TypeMetadata{}
		for name, raw := range documents {
			c.Types[name] = bundle.TypeMetadata{Raw: []byte(raw)}
		}
	})
}

func integrity(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestTypeMetadata(t *testing.T) {
	w := newWorld(t)
	unpinned := w.present(w.issue(set("vct#integrity", nil)))
	pinned := w.present(w.issue(nil))
	noClass := w.present(w.issue(set("vehicle_classes", nil)))
	open := w.issue(func(b *sdjwt.Template) { b.Selective = b.Selective[1:] }) // name in the clear
	selective := w.issue(func(b *sdjwt.Template) { b.Selective = append(b.Selective, sdjwt.P("vehicle_classes")) })
	child := `{"vct":"` + vct + `","extends":"parent","claims":[{"path":["name"],"sd":"allowed"}]}`
	parent := `{"vct":"parent","extends":"grand","claims":[{"path":["name"],"sd":"never"},{"path":["missing"],"sd":"never","mandatory":true}]}`
	softer := strings.Replace(parent, `,"mandatory":true`, "", 1)
	for name, c := range map[string]struct {
		types  map[string]string
		text   string
		want   Outcome
		reason string
	}{
		"twin":                             {map[string]string{vct: typeDocument}, pinned, Valid, "ok"},
		"twin without integrity":           {map[string]string{vct: typeDocument}, unpinned, Valid, "ok"},
		"not in the bundle":                {map[string]string{}, pinned, CannotTell, "type_unknown"},
		"other bytes than pinned":          {map[string]string{vct: typeDocument + "\n"}, pinned, Invalid, "type_metadata_mismatch"},
		"other bytes, not pinned":          {map[string]string{vct: typeDocument + "\n"}, unpinned, Valid, "ok"},
		"junk":                             {map[string]string{vct: "{"}, unpinned, CannotTell, "type_metadata_unusable"},
		"another type's document":          {map[string]string{vct: strings.Replace(typeDocument, vct, vct+"0", 1)}, unpinned, CannotTell, "type_metadata_unusable"},
		"required open claim missing":      {map[string]string{vct: typeDocument}, noClass, Invalid, "type_rules_broken"},
		"must be selective and isn't":      {map[string]string{vct: typeDocument}, w.bind(mustWithhold(t, open), nonce, audience, now), Invalid, "type_rules_broken"},
		"must be open and isn't":           {map[string]string{vct: typeDocument}, w.bind(mustWithhold(t, selective), nonce, audience, now), Invalid, "type_rules_broken"},
		"extends":                          {map[string]string{vct: child, "parent": softer, "grand": `{"vct":"grand"}`}, unpinned, Valid, "ok"},
		"extends, parent's rule":           {map[string]string{vct: child, "parent": parent, "grand": `{"vct":"grand"}`}, unpinned, Invalid, "type_rules_broken"},
		"extends, parent missing":          {map[string]string{vct: child}, unpinned, CannotTell, "type_unknown"},
		"extends in a loop":                {map[string]string{vct: child, "parent": softer, "grand": `{"vct":"grand","extends":"parent"}`}, unpinned, CannotTell, "type_metadata_unusable"},
		"extends with integrity":           {map[string]string{vct: strings.Replace(child, `"claims"`, `"extends#integrity":"`+integrity(`{"vct":"parent"}`)+`","claims"`, 1), "parent": `{"vct":"parent"}`}, unpinned, Valid, "ok"},
		"extends with another's integrity": {map[string]string{vct: strings.Replace(child, `"claims"`, `"extends#integrity":"`+integrity("x")+`","claims"`, 1), "parent": `{"vct":"parent"}`}, unpinned, CannotTell, "type_metadata_unusable"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, w.withTypes(c.types).verify(c.text), c.want, c.reason) })
	}
}

func TestNotDisclosed(t *testing.T) {
	w := newWorld(t)
	p, err := sdjwt.Parse(w.issue(nil))
	must(t, err)
	for name, c := range map[string]struct {
		show []sdjwt.Path
		want []string
	}{
		"everything hidden": {nil, []string{"name", "id_number", "licence_number", "address"}},
		"inner hidden":      {[]sdjwt.Path{sdjwt.P("address"), sdjwt.P("name")}, []string{"id_number", "licence_number", "address.street"}},
		"nothing hidden":    {[]sdjwt.Path{sdjwt.P("name"), sdjwt.P("id_number"), sdjwt.P("licence_number"), sdjwt.P("address", "street")}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := p.Present(c.show...)
			must(t, err)
			v := w.verify(w.bind(text, nonce, audience, now))
			expect(t, v, Valid, "ok") // what a holder withholds is never "missing"
			if got := v.NotDisclosed(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Claims are shown only when somebody vouches for them.
func TestClaimsAreWithheldUnlessVouchedFor(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	if len(w.verify(p).Claims()) == 0 {
		t.Error("the twin shows nothing")
	}
	for name, v := range map[string]Verdict{
		"no bundle":   Verify(p, nil, challenge, now, Policy{}),
		"not trusted": w.edited(func(c *bundle.Contents) { c.Anchors = nil }).verify(p),
		"wrong nonce": Verify(p, w.contents, Challenge{Nonce: "x", Audience: audience}, now, Policy{}),
	} {
		if len(v.Claims()) > 0 || strings.Contains(v.Text("zh"), "李秀英") || strings.Contains(string(v.JSON()), "李秀英") {
			t.Errorf("%s: claims are shown", name)
		}
	}
}
