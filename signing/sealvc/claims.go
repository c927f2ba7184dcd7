package sealvc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/jose"
)

// Credential is everything that a seal maker signs: the seal's claims and the registered ones. integrity is Integrity(Metadata(vct)).
func (s Seal) Credential(issuer, vct, integrity string, at time.Time) map[string]any {
	claims := s.Claims()
	claims["iss"], claims["iat"], claims["exp"] = issuer, at.Unix(), s.Expires().Unix()
	claims["vct"], claims["vct#integrity"] = vct, integrity
	return claims
}

// Claims are the seal's own claims; Credential adds the registered ones.
func (s Seal) Claims() map[string]any {
	claims := map[string]any{
		"seal_id": s.ID, "kind": s.Kind, "name": s.Name, "owner": map[string]any{"code": s.Owner.Code, "name": s.Owner.Name},
		"document_kinds": list(s.DocumentKinds), "valid_from": s.ValidFrom, "valid_to": s.ValidTo, "signers": list(s.Signers),
	}
	if s.Picture != nil {
		claims["picture"] = map[string]any{"media_type": s.Picture.MediaType, "sha256": s.Picture.SHA256}
	}
	return claims
}

func list(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

// registered are the claims beside the seal's own that a seal may carry. The caller judges them; only exp is compared here.
var registered = []string{"iss", "iat", "nbf", "exp", "vct", "vct#integrity"}

// FromClaims reads the claims of a seal's credential, as they come from a verified JWT. It is strict: every claim is there in its form, and none that isn't
// known, because a seal with a limit that we don't understand must not count as one without. "cnf" or "status" is therefore refused too. ErrSeal.
func FromClaims(claims map[string]any) (Seal, error) {
	b, err := json.Marshal(claims)
	if err != nil {
		return Seal{}, fmt.Errorf("%w: claims", ErrSeal)
	}
	var c map[string]any
	if err := jose.DecodeStrict(b, &c); err != nil || c == nil {
		return Seal{}, fmt.Errorf("%w: claims", ErrSeal)
	}
	r := reader{object: c}
	s := Seal{ID: r.text("seal_id"), Kind: r.text("kind"), Name: r.text("name"), ValidFrom: r.text("valid_from"), ValidTo: r.text("valid_to"),
		DocumentKinds: r.texts("document_kinds"), Signers: r.texts("signers")}
	owner := r.inner("owner")
	s.Owner = Owner{Code: owner.text("code"), Name: owner.text("name")}
	owner.end(&r)
	if _, present := c["picture"]; present {
		picture := r.inner("picture")
		s.Picture = &Picture{MediaType: picture.text("media_type"), SHA256: picture.text("sha256")}
		picture.end(&r)
	}
	exp, hasExp := c["exp"]
	for _, name := range registered {
		delete(c, name)
	}
	r.end(&r)
	if r.err != nil {
		return Seal{}, r.err
	}
	if err := s.Check(); err != nil {
		return Seal{}, err
	}
	if hasExp && exp != json.Number(fmt.Sprint(s.Expires().Unix())) {
		return Seal{}, fmt.Errorf("%w: exp isn't the end of valid_to", ErrSeal)
	}
	return s, nil
}

// reader takes the members out of an object and remembers the first that is wrong.
type reader struct {
	object map[string]any
	err    error
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrSeal, name)
	}
}

func (r *reader) text(name string) string {
	s, ok := r.object[name].(string)
	if !ok {
		r.fail(name)
	}
	delete(r.object, name)
	return s
}

func (r *reader) texts(name string) []string {
	items, ok := r.object[name].([]any)
	delete(r.object, name)
	out := make([]string, len(items))
	for i, item := range items {
		s, isString := item.(string)
		ok = ok && isString
		out[i] = s
	}
	if !ok {
		r.fail(name)
	}
	return out
}

func (r *reader) inner(name string) reader {
	object, ok := r.object[name].(map[string]any)
	if !ok {
		r.fail(name)
	}
	delete(r.object, name)
	return reader{object: object}
}

// end hands the first error to the outer reader; what is left is not known.
func (r *reader) end(outer *reader) {
	if r.err == nil && len(r.object) > 0 {
		r.err = fmt.Errorf("%w: a claim that isn't known", ErrSeal)
	}
	if outer.err == nil {
		outer.err = r.err
	}
}

// Check finds what is wrong with a seal, whether read or about to be issued. ErrSeal.
func (s Seal) Check() error {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"owner.code", creditCode(s.Owner.Code)},
		{"owner.name", readable(s.Owner.Name)},
		{"name", readable(s.Name)},
		{"kind", known(Kinds(), []string{s.Kind})},
		{"seal_id", idFits(s)},
		{"document_kinds", known(DocumentKinds(), s.DocumentKinds)},
		{"signers", len(s.Signers) >= 1 && len(s.Signers) <= MaxSigners && distinct(s.Signers) && !slices.ContainsFunc(s.Signers, notHash)},
		{"picture", s.Picture == nil || slices.Contains([]string{"image/png", "image/jpeg"}, s.Picture.MediaType) && !notHash(s.Picture.SHA256)},
	} {
		if !c.ok {
			return fmt.Errorf("%w: %s", ErrSeal, c.name)
		}
	}
	from, err1 := day(s.ValidFrom)
	to, err2 := day(s.ValidTo)
	if err1 != nil || err2 != nil || to.Before(from) {
		return fmt.Errorf("%w: valid_from, valid_to", ErrSeal)
	}
	return nil
}

// creditCode accepts a wrong check character: some early codes have one, and whether the organisation exists is the maker's to know.
func creditCode(s string) bool {
	c, _ := gb.ParseCreditCode(s)
	return s != "" && string(c) == s
}

// readable is a name that can be shown: no control characters, nothing that turns the direction of text or hides.
func readable(s string) bool {
	if !utf8.ValidString(s) || s != strings.TrimSpace(s) || s == "" || utf8.RuneCountInString(s) > MaxName {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' })
}

// idFits: the id begins with the owner and the kind, so that one maker can't issue under another owner's id.
func idFits(s Seal) bool {
	random, ok := strings.CutPrefix(s.ID, s.Owner.Code+"-"+s.Kind+"-")
	return ok && len(random) == 10 && strings.Trim(random, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func known(table []Named, ids []string) bool {
	for _, id := range ids {
		if _, ok := find(table, id); !ok {
			return false
		}
	}
	return len(ids) > 0 && distinct(ids)
}

func distinct(list []string) bool {
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			return false
		}
	}
	return true
}

func notHash(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err != nil || len(b) != 32 || len(s) != 43
}
