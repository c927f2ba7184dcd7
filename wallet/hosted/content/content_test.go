package content_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/hosted/content"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// credentials are one licence in both forms.
func credentials(t *testing.T, exp, until time.Time) (vc, doc string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := key.Public()
	must(t, err)
	laid, err := sdjwt.Build(sdjwt.Template{Claims: map[string]any{"iss": "i", "vct": "v", "exp": exp.Unix()}, Holder: &pub, Salts: rand.Reader})
	must(t, err)
	vc, err = sdjwt.Issue(key, nil, laid)
	must(t, err)
	m, err := mdoc.Build(mdoc.Template{DocType: mdoc.MDL, DeviceKey: pub, Random: rand.Reader, Signed: until.Add(-time.Hour), ValidFrom: until.Add(-time.Hour), ValidUntil: until,
		NameSpaces: []mdoc.NameSpace{{Name: "n", Elements: []mdoc.Element{{ID: "a", Value: "b"}}}}})
	must(t, err)
	b, err := mdoc.Issue(key, [][]byte{{0x30}}, m)
	must(t, err)
	return vc, base64.RawURLEncoding.EncodeToString(b)
}

func TestCopiesAtRest(t *testing.T) {
	s := httpx.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	at := time.Unix(1800000000, 0)
	vc, doc := credentials(t, at.Add(time.Hour), at)
	sealed, expires, err := content.Seal(s, "p", vc, doc)
	must(t, err)
	if !expires.Equal(at) {
		t.Errorf("ends at %s, with the mdoc it is %s", expires, at)
	}
	c, err := content.Open(s, "p", sealed)
	must(t, err)
	if c.Doc == nil || c.Doc.DocType() != mdoc.MDL {
		t.Error("the mdoc is gone")
	}
	if _, err := content.Open(s, "q", sealed); err == nil {
		t.Error("opened as another copy")
	}
	sealed, expires, err = content.Seal(s, "p", vc, "")
	must(t, err)
	if c, err = content.Open(s, "p", sealed); err != nil || c.Doc != nil || !expires.Equal(at.Add(time.Hour)) {
		t.Errorf("without an mdoc: %v %s", err, expires)
	}
	old, err := s.Seal("p", vc) // as copies were sealed before there were mdocs
	must(t, err)
	if c, err = content.Open(s, "p", old); err != nil || c.Doc != nil {
		t.Errorf("an old copy: %v", err)
	}
	for name, x := range map[string][2]string{"no VC": {"junk", doc}, "mdoc not base64url": {vc, doc + "="}, "mdoc junk": {vc, "AAAA"}} {
		if _, _, err := content.Seal(s, "p", x[0], x[1]); !errors.Is(err, content.ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
