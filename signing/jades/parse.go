package jades

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
)

// rivals are header members that would say a second time, or otherwise, what ours say: who signed, when, and what it is. Other members that aren't known are
// ignored, as RFC 7515 demands; none of them can be critical.
var rivals = []string{"kid", "jwk", "jku", "x5u", "x5t", "x5t#o", "sigX5ts", "sigT", "exp", "nbf", "cty", "etsiU"}

// Parse reads a signature and does every check that needs no key. It is strict: one signature, no payload, no duplicate member, one spelling of base64url,
// crit exactly b64 and sigD, one file by its SHA-256, one kind of document, one seal, x5t#S256 of the first certificate. Of the unprotected header only
// "etsiU" may be there (timestamps that others add); it is not read. Errors: ErrTooLarge, ErrMalformed, and with it those of internal/jose.
func Parse(b []byte) (Parsed, error) {
	if len(b) > MaxBytes {
		return Parsed{}, fmt.Errorf("%w: above %d bytes", ErrTooLarge, MaxBytes)
	}
	p, err := parse(b)
	if errors.Is(err, jose.ErrTooLarge) {
		return Parsed{}, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if err != nil {
		return Parsed{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return p, nil
}

// wrong names the part that isn't as it must be.
type wrong string

func (w wrong) Error() string { return string(w) }

func parse(b []byte) (Parsed, error) {
	var outer map[string]any
	if err := jose.DecodeStrict(b, &outer); err != nil {
		return Parsed{}, err
	}
	f := object{members: outer}
	protected, signature := f.text("protected"), f.text("signature")
	if _, present := outer["header"]; present {
		unprotected := f.object("header")
		_ = unprotected.list("etsiU")
		unprotected.end(&f)
	}
	f.end(&f) // also refuses payload and signatures
	if f.err != nil {
		return Parsed{}, f.err
	}
	token, err := jose.ParseDetached(protected, signature, jose.ES256)
	if err != nil {
		return Parsed{}, err
	}
	for _, name := range rivals {
		if _, present := token.Header.Raw[name]; present {
			return Parsed{}, wrong("header member " + name)
		}
	}
	p := Parsed{token: token}
	if p.protected, err = strictjson.DecodeBase64(protected); err != nil {
		return Parsed{}, err
	}
	return p, p.read(token.Header)
}

// read takes what we know out of the header.
func (p *Parsed) read(h jose.ParsedHeader) error {
	var err error
	if p.issuedAt, err = jose.Claims(h.Raw).Time("iat"); err != nil {
		return err
	}
	top := object{members: h.Raw}
	if len(h.X5C) == 0 {
		return wrong("x5c")
	}
	leaf := sha256.Sum256(h.X5C[0])
	if top.text("x5t#S256") != encode(leaf[:]) {
		return wrong("x5t#S256 isn't of the first certificate")
	}
	p.kind = top.commitment()
	p.seal = top.assertion()
	p.document = top.sigD()
	return top.err
}

func (o *object) commitment() string {
	item := o.only("srCms")
	id := item.object("commId")
	uri := id.text("id")
	if !uriFits(uri) {
		o.fail("srCms")
	}
	id.end(&item)
	item.end(o)
	return uri
}

func (o *object) assertion() string {
	attributes := o.object("srAts")
	item := attributes.only("signedAssertions")
	mediaType, encoding, seal := item.text("mediaType"), item.text("encoding"), item.oneText("qVals")
	if mediaType != sealMediaType || encoding != sealEncoding || !sealFits(seal) {
		o.fail("srAts")
	}
	item.end(&attributes)
	attributes.end(o)
	return seal
}

func (o *object) sigD() (d Document) {
	s := o.object("sigD")
	mechanism, method, name, digest, short := s.text("mId"), s.text("hashM"), s.oneText("pars"), s.oneText("hashV"), s.oneText("ctys")
	sum, err := strictjson.DecodeBase64(digest)
	if err != nil || mechanism != byURIHash || method != hashMethod || len(sum) != len(d.SHA256) {
		o.fail("sigD")
	}
	copy(d.SHA256[:], sum)
	if d.Name, err = url.PathUnescape(name); err != nil || !nameFits(d.Name) || escapeName(d.Name) != name {
		o.fail("sigD: pars")
	}
	if d.MediaType = short; !strings.Contains(short, "/") {
		d.MediaType = "application/" + short
	}
	if !mediaTypeFits(d.MediaType) || shortType(d.MediaType) != short {
		o.fail("sigD: ctys")
	}
	s.end(o)
	return d
}

// object takes members out of a JSON object and remembers the first thing that is wrong.
type object struct {
	members map[string]any
	taken   int
	err     error
}

func (o *object) fail(what string) {
	if o.err == nil {
		o.err = wrong(what)
	}
}

func (o *object) text(name string) string {
	s, ok := o.members[name].(string)
	if !ok {
		o.fail(name)
	}
	o.taken++
	return s
}

func (o *object) list(name string) []any {
	items, ok := o.members[name].([]any)
	if !ok {
		o.fail(name)
	}
	o.taken++
	return items
}

func (o *object) object(name string) object {
	members, ok := o.members[name].(map[string]any)
	if !ok {
		o.fail(name)
	}
	o.taken++
	return object{members: members}
}

// oneText is a list of one string.
func (o *object) oneText(name string) string {
	items := o.list(name)
	if len(items) != 1 {
		o.fail(name)
		return ""
	}
	s, ok := items[0].(string)
	if !ok {
		o.fail(name)
	}
	return s
}

// only is a list of one object.
func (o *object) only(name string) object {
	items := o.list(name)
	if len(items) != 1 {
		o.fail(name)
		return object{}
	}
	members, ok := items[0].(map[string]any)
	if !ok {
		o.fail(name)
	}
	return object{members: members}
}

// end refuses members that nobody took, and hands the first error outwards.
func (o *object) end(outer *object) {
	if o.err == nil && len(o.members) != o.taken {
		o.err = wrong("a member that isn't known")
	}
	if outer.err == nil {
		outer.err = o.err
	}
}

// Verify checks that the key of the first certificate made the signature. With keys it must be one of them too: a right signature by another key than the
// certificate's is refused. It says nothing about who that is. Errors: ErrSignature; ErrMalformed for a certificate that can't be read.
func (p Parsed) Verify(keys ...jose.JWK) (Verified, error) {
	if len(p.X5C()) == 0 {
		return Verified{}, ErrSignature // the zero value
	}
	cert, err := x509.ParseCertificate(p.X5C()[0])
	if err != nil {
		return Verified{}, fmt.Errorf("%w: certificate", ErrMalformed)
	}
	own, err := jose.FromPublic(cert.PublicKey, "", jose.ES256)
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	among := len(keys) == 0
	for _, k := range keys {
		among = among || k.Thumbprint() == own.Thumbprint()
	}
	if !among {
		return Verified{}, fmt.Errorf("%w: the certificate is of another key", ErrSignature)
	}
	v, err := p.token.Verify(own)
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return Verified{Parsed: p, key: v.Key()}, nil
}
