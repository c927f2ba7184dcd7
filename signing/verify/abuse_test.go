package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// Every matrix has a first row, the twin, that is valid; every other row differs from it in one thing.

func TestQ01HolderChallenge(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	for name, c := range map[string]struct {
		c      Challenge
		want   Outcome
		reason string
	}{
		"twin":                   {challenge, Valid, "ok"},
		"other nonce":            {Challenge{Nonce: "other", Audience: audience}, Invalid, "wrong_challenge"},
		"other audience":         {Challenge{Nonce: nonce, Audience: audience + "/"}, Invalid, "wrong_challenge"},
		"nonce as a prefix":      {Challenge{Nonce: nonce[:5], Audience: audience}, Invalid, "wrong_challenge"},
		"no challenge":           {Challenge{}, CannotTell, "no_challenge"},
		"nonce without audience": {Challenge{Nonce: nonce}, CannotTell, "no_challenge"},
		"document alone":         {Challenge{HolderAny: true}, Valid, "ok"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, Verify(p, w.contents, c.c, now, Policy{}), c.want, c.reason) })
	}
}

func TestQ02HolderProof(t *testing.T) {
	w := newWorld(t)
	issued := w.issue(nil)
	bare := mustWithhold(t, issued)
	stranger := *w
	var err error
	stranger.holder, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	other := mustWithhold(t, stranger.issue(nil))
	bound := stranger.bind(other, nonce, audience, now)
	foreign := bare + bound[strings.LastIndex(bound, "~")+1:]
	unbound := w.issue(func(b *sdjwt.Template) { b.Holder = nil })
	for name, c := range map[string]struct {
		text     string
		want     Outcome
		reason   string
		document Outcome // when the document alone is asked for
	}{
		"twin":                 {w.bind(bare, nonce, audience, now), Valid, "ok", Valid},
		"no proof":             {bare, CannotTell, "no_holder_proof", Valid},
		"another holder's":     {foreign, Invalid, "wrong_holder_proof", Invalid},
		"ten minutes ago":      {w.bind(bare, nonce, audience, now.Add(-10*time.Minute)), Invalid, "holder_proof_not_from_now", Valid},
		"in ten minutes":       {w.bind(bare, nonce, audience, now.Add(10*time.Minute)), Invalid, "holder_proof_not_from_now", Valid},
		"credential unbound":   {unbound, CannotTell, "no_holder_key", Valid},
		"proof of an unbound":  {unbound + bound[strings.LastIndex(bound, "~")+1:], Invalid, "wrong_holder_proof", Invalid},
		"proof isn't a JWT":    {bare + "x", Invalid, "malformed", Invalid},
		"issued, all claims":   {issued, CannotTell, "no_holder_proof", Valid},
		"minute of clock skew": {w.bind(bare, nonce, audience, now.Add(50*time.Second)), Valid, "ok", Valid},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, w.verify(c.text), c.want, c.reason)
			if v := Verify(c.text, w.contents, Challenge{HolderAny: true}, now, Policy{}); v.Outcome() != c.document {
				t.Errorf("document alone: %s (%s), want %s", v.Outcome(), v.Reason(), c.document)
			}
		})
	}
}

func mustWithhold(t testing.TB, credential string) string {
	t.Helper()
	p, err := sdjwt.Parse(credential)
	must(t, err)
	text, err := p.Withhold(sdjwt.P("id_number"))
	must(t, err)
	return text
}

func TestQ03DisclosuresChangedAfterBinding(t *testing.T) {
	w := newWorld(t)
	good := w.present(w.issue(nil))
	parts := strings.Split(good, "~")
	last := len(parts) - 1
	removed := strings.Join(append(append([]string{}, parts[:1]...), parts[2:]...), "~")
	swapped := append([]string{}, parts...)
	swapped[last-1], swapped[last-2] = swapped[last-2], swapped[last-1]
	expect(t, w.verify(good), Valid, "ok")
	for name, text := range map[string]string{"removed": removed, "reordered": strings.Join(swapped, "~")} {
		t.Run(name, func(t *testing.T) {
			v := w.verify(text)
			if v.Outcome() != Invalid {
				t.Errorf("%s (%s)", v.Outcome(), v.Reason())
			}
		})
	}
}

// Q04, Q05 and N04 are tested row by row in package sdjwt; here: junk and tampering are verdicts.
func TestQ04JunkIsInvalid(t *testing.T) {
	w := newWorld(t)
	good := w.present(w.issue(nil))
	dot := strings.IndexByte(good, '.')
	expect(t, w.verify(" \n"+good+"\r\n"), Valid, "ok")
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "tilde": "~", "json": `{"verdict":"valid"}`, "binary": "\x00\xff\xfe", "half": good[:len(good)/2],
		"payload changed":     good[:dot+40] + other(good[dot+40]) + good[dot+41:],
		"header changed":      "x" + good[1:],
		"space inside":        good[:dot] + " " + good[dot:],
		"unreferenced":        strings.Replace(good, "~", "~WyJzIiwibiIsMV0~", 1),
		"md5":                 w.rawCredential(t, `{"vct":"v","_sd_alg":"md5"}`),
		"exp selective (Q04)": w.rawCredential(t, `{"vct":"v","status":{"_sd":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			v := w.verify(text)
			if v.Outcome() != Invalid || v.ExitCode() != 2 || len(v.Checks()) != 9 {
				t.Errorf("%s (%s)", v.Outcome(), v.Reason())
			}
			if Verify(text, nil, challenge, now, Policy{}).Outcome() != Invalid {
				t.Error("junk isn't junk without a bundle")
			}
		})
	}
}

// other is another character of base64url.
func other(c byte) string {
	if c == 'x' {
		return "y"
	}
	return "x"
}

func (w *world) rawCredential(t testing.TB, payload string) string {
	t.Helper()
	jwt, err := jose.Sign(w.issuer.signing(t), jose.Header{Typ: sdjwt.Typ, X5C: w.chain()}, []byte(payload))
	must(t, err)
	return jwt + "~"
}

func TestSignatureByAnotherKey(t *testing.T) {
	w := newWorld(t)
	thief := certify(t, "x", nil, false, nil)
	text := w.present(w.issueBy(thief, w.chain(), nil)) // signs under the authority's certificate
	expect(t, w.verify(text), Invalid, "wrong_signature")
	if v := Verify(text, nil, challenge, now, Policy{}); v.Outcome() != Invalid {
		t.Errorf("without a bundle: %s", v.Outcome())
	}
}

func TestQ07Chains(t *testing.T) {
	w := newWorld(t)
	id := asIssuer(issuerID, issuerCode)
	with := func(edit func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) { id(c); edit(c) }
	}
	der := func(list ...authority) (out [][]byte) {
		for _, a := range list {
			out = append(out, a.cert.Raw)
		}
		return out
	}
	selfSigned := certify(t, "Traffic police", nil, false, id)
	fakeRoot := certify(t, "National root R1", nil, true, nil)
	fakeCA := certify(t, "Credential issuers C1", &fakeRoot, true, nil)
	fakeLeaf := certify(t, "Traffic police", &fakeCA, false, id)
	notCA := certify(t, "Middle", &w.credCA, false, nil)
	belowNotCA := certify(t, "Traffic police", &notCA, false, id)
	subCA := certify(t, "One too many", &w.credCA, true, nil)
	belowSub := certify(t, "Traffic police", &subCA, false, id)
	expired := certify(t, "Traffic police", &w.credCA, false, with(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }))
	future := certify(t, "Traffic police", &w.credCA, false, with(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }))
	server := certify(t, "Traffic police", &w.credCA, false, with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))
	encipher := certify(t, "Traffic police", &w.credCA, false, with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }))
	ca := certify(t, "Traffic police", &w.root, true, id)
	other := certify(t, "Traffic police", &w.credCA, false, asIssuer(issuerID+"x", issuerCode))
	nameless := certify(t, "Traffic police", &w.credCA, false, nil)
	status := certify(t, "Traffic police", &w.statCA, false, id)
	constrainedCA := certify(t, "Constrained", &w.root, true, func(c *x509.Certificate) {
		c.PermittedURIDomains, c.PermittedDNSDomainsCritical = []string{"elsewhere.example"}, true
	})
	constrained := certify(t, "Traffic police", &constrainedCA, false, id)
	fresh := certify(t, "Traffic police", &w.credCA, false, id)
	sealCA := certify(t, "Seal signers", &w.root, true, nil)
	sealSigner := certify(t, "Traffic police", &sealCA, false, id)
	withSeals := w.edited(func(c *bundle.Contents) {
		c.Anchors = append(c.Anchors, bundle.Anchor{Purpose: "seal-signer", DER: sealCA.cert.Raw}, bundle.Anchor{Purpose: "seal-maker", DER: sealCA.cert.Raw})
	})
	withConstrained := w.edited(func(c *bundle.Contents) {
		c.Anchors = append(c.Anchors, bundle.Anchor{Purpose: "credential", DER: constrainedCA.cert.Raw})
	})
	for name, c := range map[string]struct {
		by    authority
		x5c   [][]byte
		want  Outcome
		world *world
	}{
		"twin":                      {fresh, der(fresh, w.credCA), Valid, w},
		"twin without intermediate": {fresh, der(fresh), Valid, w}, // the anchor is the intermediate
		"self-signed":               {selfSigned, der(selfSigned), Invalid, w},
		"root of the same name":     {fakeLeaf, der(fakeLeaf, fakeCA, fakeRoot), Invalid, w},
		"names and no path":         {fakeLeaf, der(fakeLeaf, w.credCA), Invalid, w},
		"CA:false in the middle":    {belowNotCA, der(belowNotCA, notCA, w.credCA), Invalid, w},
		"path length":               {belowSub, der(belowSub, subCA, w.credCA), Invalid, w},
		"expired":                   {expired, der(expired, w.credCA), Invalid, w},
		"not yet valid":             {future, der(future, w.credCA), Invalid, w},
		"for servers":               {server, der(server, w.credCA), Invalid, w},
		"not for signatures":        {encipher, der(encipher, w.credCA), Invalid, w},
		"an authority's own":        {ca, der(ca), Invalid, w},
		"leaf of another issuer":    {other, der(other, w.credCA), Invalid, w},
		"leaf of nobody":            {nameless, der(nameless, w.credCA), Invalid, w},
		"anchor of another purpose": {status, der(status, w.statCA), Invalid, w},
		"S04 a seal's key":          {sealSigner, der(sealSigner, sealCA), Invalid, withSeals},
		"name constraint":           {constrained, der(constrained, constrainedCA), Invalid, withConstrained},
		"unparsable element":        {fresh, [][]byte{fresh.cert.Raw, []byte("junk")}, Invalid, w},
		"unparsable leaf":           {fresh, [][]byte{[]byte("junk"), w.credCA.cert.Raw}, Invalid, w},
		"chain in reverse":          {fresh, der(w.credCA, fresh), Invalid, w},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.world.verify(w.present(w.issueBy(c.by, c.x5c, nil)))
			switch {
			case c.want == Valid:
				expect(t, v, Valid, "ok")
			case v.Outcome() != Invalid || v.Reason() != "untrusted_issuer" && v.Reason() != "wrong_signature":
				t.Errorf("%s (%s)", v.Outcome(), v.Reason())
			}
			if c.want != Valid && len(v.Claims()) > 0 {
				t.Error("claims that nobody vouches for are shown")
			}
		})
	}
	t.Run("no chain at all", func(t *testing.T) {
		v := w.verify(w.present(w.issueBy(fresh, nil, nil)))
		if v.Outcome() == Valid {
			t.Error("valid")
		}
	})
	t.Run("certificate from the bundle", func(t *testing.T) {
		known := w.edited(func(c *bundle.Contents) { c.Issuers[0].Certificates = [][]byte{fresh.cert.Raw} })
		expect(t, known.verify(w.present(w.issueBy(fresh, nil, nil))), Valid, "ok")
	})
}

func TestQ08Authorisation(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	other := certify(t, "Other", &w.credCA, false, asIssuer("https://hufu.example/i/2", "2"))
	young := certify(t, "Young", &w.credCA, false, func(c *x509.Certificate) {
		asIssuer("https://hufu.example/i/3", "3")(c)
		c.NotBefore = w.contents.AsOf.Add(time.Minute)
	})
	from := func(a authority, id string) string {
		return w.present(w.issueBy(a, [][]byte{a.cert.Raw, w.credCA.cert.Raw}, set("iss", id)))
	}
	auth := func(a ...bundle.Authorisation) func(*bundle.Contents) {
		return func(c *bundle.Contents) { c.Issuers[0].Authorised = a }
	}
	year := now.AddDate(-1, 0, 0)
	for name, c := range map[string]struct {
		edit   func(*bundle.Contents)
		text   string
		want   Outcome
		reason string
	}{
		"twin":                    {func(*bundle.Contents) {}, p, Valid, "ok"},
		"another type":            {auth(bundle.Authorisation{VCT: vct + "0", From: year}), p, Invalid, "issuer_not_authorised"},
		"nothing":                 {auth(), p, Invalid, "issuer_not_authorised"},
		"ended before issue":      {auth(bundle.Authorisation{VCT: vct, From: year, To: now.Add(-48 * time.Hour)}), p, Invalid, "issuer_not_authorised"},
		"ended after issue":       {auth(bundle.Authorisation{VCT: vct, From: year, To: now.Add(-time.Hour)}), p, Valid, "ok"},
		"begins after issue":      {auth(bundle.Authorisation{VCT: vct, From: now.Add(-time.Hour)}), p, Invalid, "issuer_not_authorised"},
		"one of two":              {auth(bundle.Authorisation{VCT: "x", From: year}, bundle.Authorisation{VCT: vct, From: year}), p, Valid, "ok"},
		"own region":              {func(*bundle.Contents) {}, w.present(w.issue(set("area_code", "440100"))), Valid, "ok"},
		"another region":          {func(*bundle.Contents) {}, w.present(w.issue(set("area_code", "330100"))), Invalid, "issuer_not_authorised"},
		"another region, deep":    {func(*bundle.Contents) {}, w.present(w.issue(set("issuer", map[string]any{"area_code": "330000"}))), Invalid, "issuer_not_authorised"},
		"stranger to the bundle":  {func(*bundle.Contents) {}, from(other, "https://hufu.example/i/2"), Invalid, "issuer_not_authorised"},
		"younger than the bundle": {func(*bundle.Contents) {}, from(young, "https://hufu.example/i/3"), CannotTell, "issuer_unknown"},
		"another organisation":    {func(c *bundle.Contents) { c.Issuers[0].Code = "1199440000TRY0011H" }, p, Invalid, "issuer_not_authorised"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, w.edited(c.edit).verify(c.text), c.want, c.reason) })
	}
}

func TestWithdrawnKeys(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil)) // issued a day ago
	key, err := jose.FromPublic(w.issuer.key.Public(), "", jose.ES256)
	must(t, err)
	revoked := func(thumbprint string, at time.Time) func(*bundle.Contents) {
		return func(c *bundle.Contents) {
			c.Issuers[0].Revoked = []bundle.RevokedKey{{Thumbprint: thumbprint, CompromisedAt: at}}
		}
	}
	expect(t, w.edited(revoked("another", now)).verify(p), Valid, "ok")
	expect(t, w.edited(revoked(key.Thumbprint(), now.Add(-48*time.Hour))).verify(p), Invalid, "key_compromised")
	// It says that it is older than the theft: so would a forgery.
	expect(t, w.edited(revoked(key.Thumbprint(), now.Add(-time.Hour))).verify(p), CannotTell, "key_compromised")
	// Another authority's word about this key counts for nothing.
	expect(t, w.edited(func(c *bundle.Contents) {
		c.Issuers = append(c.Issuers, bundle.Issuer{ID: "https://hufu.example/i/other", Code: "1199440000TRY0011H",
			Revoked: []bundle.RevokedKey{{Thumbprint: key.Thumbprint(), CompromisedAt: now.Add(-48 * time.Hour)}}})
	}).verify(p), Valid, "ok")
	undated := w.present(w.issue(set("iat", nil)))
	expect(t, w.verify(undated), Valid, "ok")
	expect(t, w.edited(revoked(key.Thumbprint(), now.Add(-time.Hour))).verify(undated), Invalid, "key_compromised")
}

func TestQ09Status(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	chain := [][]byte{w.status.cert.Raw, w.statCA.cert.Raw}
	list := func(by authority, x5c [][]byte, bits int, entries []statuslist.Entry, edit func(*statuslist.Claims)) func(*bundle.Contents) {
		token := w.listToken(by, x5c, bits, entries, edit)
		return func(c *bundle.Contents) { c.StatusLists[listURI] = token }
	}
	one := func(v statuslist.Status) []statuslist.Entry { return []statuslist.Entry{{Index: index, Value: v}} }
	self := certify(t, "Status signer", nil, false, nil)
	expiredSigner := certify(t, "Status signer", &w.statCA, false, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) })
	issuerChain := w.chain()
	expire := func(c *statuslist.Claims) {
		c.IssuedAt, c.Expires = now.Add(-36*24*time.Hour), now.Add(-24*time.Hour)
	}
	ref := func(idx any, uri string) string {
		return w.present(w.issue(set("status", map[string]any{"status_list": map[string]any{"idx": idx, "uri": uri}})))
	}
	none := func(*bundle.Contents) {}
	for name, c := range map[string]struct {
		edit   func(*bundle.Contents)
		text   string
		want   Outcome
		reason string
	}{
		"twin":                        {list(w.status, chain, 2, nil, nil), p, Valid, "ok"},
		"twin, neighbours revoked":    {list(w.status, chain, 1, []statuslist.Entry{{Index: index - 1, Value: 1}, {Index: index + 1, Value: 1}}, nil), p, Valid, "ok"},
		"revoked":                     {list(w.status, chain, 2, one(statuslist.Invalid), nil), p, Invalid, "revoked"},
		"revoked, one bit":            {list(w.status, chain, 1, one(statuslist.Invalid), nil), p, Invalid, "revoked"},
		"suspended":                   {list(w.status, chain, 2, one(statuslist.Suspended), nil), p, Invalid, "suspended"},
		"unknown value":               {list(w.status, chain, 2, one(3), nil), p, CannotTell, "status_value_unknown"},
		"last index":                  {none, ref(1<<17-1, listURI), Valid, "ok"},
		"index = size":                {none, ref(1<<17, listURI), Invalid, "status_index_out_of_range"},
		"negative index":              {none, ref(-1, listURI), Invalid, "status_malformed"},
		"index in text":               {none, ref("4711", listURI), Invalid, "status_malformed"},
		"list missing":                {func(c *bundle.Contents) { delete(c.StatusLists, listURI) }, p, CannotTell, "status_list_missing"},
		"another list's token":        {list(w.status, chain, 2, nil, func(c *statuslist.Claims) { c.URI += "x" }), p, CannotTell, "status_list_untrusted"},
		"expired":                     {list(w.status, chain, 2, nil, expire), p, CannotTell, "status_list_expired"},
		"expired and suspended":       {list(w.status, chain, 2, one(statuslist.Suspended), expire), p, CannotTell, "status_list_expired"},
		"expired and revoked":         {list(w.status, chain, 2, one(statuslist.Invalid), expire), p, Invalid, "revoked"},
		"ttl passed":                  {list(w.status, chain, 2, nil, func(c *statuslist.Claims) { c.TTL = time.Second }), p, Valid, "ok"},
		"from the future":             {list(w.status, chain, 2, nil, func(c *statuslist.Claims) { c.IssuedAt = now.Add(time.Hour) }), p, CannotTell, "clock_before_status_list"},
		"own key in x5c":              {list(self, [][]byte{self.cert.Raw}, 2, nil, nil), p, CannotTell, "status_list_untrusted"},
		"own key, says revoked":       {list(self, [][]byte{self.cert.Raw}, 2, one(statuslist.Invalid), nil), p, CannotTell, "status_list_untrusted"},
		"department's own key":        {list(w.issuer, issuerChain, 2, nil, nil), p, CannotTell, "status_list_untrusted"},
		"no chain":                    {list(w.status, nil, 2, nil, nil), p, CannotTell, "status_list_untrusted"},
		"signer's certificate ended":  {list(expiredSigner, [][]byte{expiredSigner.cert.Raw, w.statCA.cert.Raw}, 2, nil, func(c *statuslist.Claims) { c.IssuedAt = now.Add(-time.Minute) }), p, CannotTell, "status_list_untrusted"},
		"junk in place of the list":   {func(c *bundle.Contents) { c.StatusLists[listURI] = "junk" }, p, CannotTell, "status_list_untrusted"},
		"no status in the credential": {none, w.present(w.issue(set("status", nil))), CannotTell, "no_status"},
		"another mechanism":           {none, w.present(w.issue(set("status", map[string]any{"x": 1}))), CannotTell, "no_status"},
		"reference without index":     {none, w.present(w.issue(set("status", map[string]any{"status_list": map[string]any{"uri": listURI}}))), Invalid, "status_malformed"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, w.edited(c.edit).verify(c.text), c.want, c.reason) })
	}
	t.Run("policy", func(t *testing.T) {
		expect(t, Verify(p, w.contents, challenge, now, Policy{StatusMaxAge: 43 * time.Minute}), Valid, "ok")
		expect(t, Verify(p, w.contents, challenge, now, Policy{StatusMaxAge: 41 * time.Minute}), CannotTell, "status_list_too_old")
		advised := w.edited(func(c *bundle.Contents) { c.Policy.StatusMaxAge = map[string]time.Duration{"": time.Minute} })
		expect(t, advised.verify(p), CannotTell, "status_list_too_old")
		expect(t, Verify(p, advised.contents, challenge, now, Policy{StatusMaxAge: time.Hour}), CannotTell, "status_list_too_old")
		own := w.edited(func(c *bundle.Contents) {
			c.Policy.StatusMaxAge = map[string]time.Duration{"": time.Minute, vct: time.Hour}
		})
		expect(t, own.verify(p), Valid, "ok")
		free := w.present(w.issue(set("status", nil)))
		expect(t, Verify(free, w.contents, challenge, now, Policy{AllowNoStatus: true}), Valid, "ok")
	})
}

// Q10: inflation is bounded in package statuslist; here: a bomb in the bundle revokes nobody and clears nobody.
func TestQ10BombInTheBundle(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	payload := `{"sub":"` + listURI + `","iat":1795000000,"status_list":{"bits":1,"lst":"eNoDAAAAAAE"}}`
	token, err := statuslist.Sign(w.status.signing(t), [][]byte{w.status.cert.Raw, w.statCA.cert.Raw}, []byte(payload))
	must(t, err)
	v := w.edited(func(c *bundle.Contents) { c.StatusLists[listURI] = token }).verify(p)
	expect(t, v, CannotTell, "status_list_untrusted")
}

// An RSA or P-384 issuer is judged like any other; an algorithm that doesn't fit the certificate's key is not.
func TestOtherKeyTypes(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	leaf := certifyKey(t, "Traffic police", &w.credCA, false, key, asIssuer(issuerID, issuerCode))
	laid, err := sdjwt.Build(w.template())
	must(t, err)
	text, err := sdjwt.Issue(jose.SigningKey{Alg: jose.ES384, Key: key}, [][]byte{leaf.cert.Raw, w.credCA.cert.Raw}, laid)
	must(t, err)
	expect(t, w.verify(w.present(text)), Valid, "ok")
	text, err = sdjwt.Issue(jose.SigningKey{Alg: jose.ES384, Key: key}, w.chain(), laid)
	must(t, err)
	expect(t, w.verify(w.present(text)), Invalid, "wrong_signature")
}
