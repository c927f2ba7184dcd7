package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// contents reads the verified targets.
func (v *verifier) contents() (*Contents, error) {
	root, ts := v.set.Root.Signed, v.set.Timestamp.Signed
	c := &Contents{
		Version: ts.Version, RootVersion: root.Version, RootFingerprint: Fingerprint(v.rootBytes), Root: v.rootBytes,
		Digest:  wire.Hash(v.files[timestampPath]),
		Roles:   map[string]int64{metadata.ROOT: root.Version, metadata.TIMESTAMP: ts.Version, metadata.SNAPSHOT: v.set.Snapshot.Signed.Version},
		Expires: root.Expires, Types: map[string]TypeMetadata{}, StatusLists: map[string]string{},
		CWTLists: map[string][]byte{}, Images: map[string]Image{},
	}
	asOf, _ := ts.UnrecognizedFields[asOfField].(string)
	var err error
	if c.AsOf, err = time.Parse(time.RFC3339, asOf); err != nil {
		return nil, fmt.Errorf("%w: timestamp without %s", ErrMalformed, asOfField)
	}
	c.expireBy(ts.Expires)
	c.expireBy(v.set.Snapshot.Signed.Expires)
	for _, name := range slices.Sorted(maps.Keys(v.set.Targets)) {
		md := v.set.Targets[name]
		c.Roles[name] = md.Signed.Version
		c.expireBy(md.Signed.Expires)
	}
	c.Expires, c.AsOf = c.Expires.UTC(), c.AsOf.UTC()
	if err := v.national(c); err != nil {
		return nil, err
	}
	return c, v.lists(c)
}

func (c *Contents) expireBy(t time.Time) {
	if t.Before(c.Expires) {
		c.Expires = t
	}
}

// part returns the bytes of a target after checking length and hash.
func (v *verifier) part(path string, t *metadata.TargetFiles) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: %.80q has no hash", ErrMalformed, path)
	}
	sum := t.Hashes["sha256"]
	if len(sum) == 0 {
		return nil, fmt.Errorf("%w: %.80q has no SHA-256", ErrUntrusted, path)
	}
	raw, ok := v.files[targetPath(path, fmt.Sprintf("%x", []byte(sum)))]
	if !ok {
		return nil, fmt.Errorf("%w: %.80q is missing", ErrMalformed, path)
	}
	if err := t.VerifyLengthHashes(raw); err != nil {
		return nil, fmt.Errorf("%w: %.80q: %w", ErrUntrusted, path, err)
	}
	return raw, nil
}

// national reads the targets role: anchors, types, policy, authorities. Paths
// of kinds that this version doesn't know are left alone.
func (v *verifier) national(c *Contents) error {
	targets := v.set.Targets[metadata.TARGETS].Signed.Targets
	for _, path := range slices.Sorted(maps.Keys(targets)) {
		kind, _, _ := strings.Cut(path, "/")
		read := map[string]func(*Contents, string, []byte, *json.RawMessage) error{
			"anchors": readAnchor, "types": readType, "images": readImage, "authorities": v.readAuthority, wire.PolicyPath: readPolicy,
		}[kind]
		if read == nil {
			continue
		}
		raw, err := v.part(path, targets[path])
		if err != nil {
			return err
		}
		if err := read(c, path, raw, targets[path].Custom); err != nil {
			return unreadable(path, err)
		}
	}
	return nil
}

// unreadable says which part is broken, unless the error already says what it means.
func unreadable(path string, err error) error {
	if errors.Is(err, ErrUntrusted) || errors.Is(err, ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w: %.80q: %w", ErrMalformed, path, err)
}

func readAnchor(c *Contents, _ string, raw []byte, custom *json.RawMessage) error {
	var about wire.AnchorNote
	if err := asJSON(custom, &about); err != nil {
		return err
	}
	c.Anchors = append(c.Anchors, Anchor{Purpose: about.Purpose, DER: raw})
	return nil
}

func readType(c *Contents, _ string, raw []byte, custom *json.RawMessage) error {
	var about wire.TypeNote
	if err := asJSON(custom, &about); err != nil {
		return err
	}
	if _, twice := c.Types[about.VCT]; twice || about.VCT == "" {
		return fmt.Errorf("vct %.80q is there twice or empty", about.VCT)
	}
	c.Types[about.VCT] = TypeMetadata{Raw: raw, Integrity: wire.Integrity(raw)}
	return nil
}

func readImage(c *Contents, _ string, raw []byte, custom *json.RawMessage) error {
	var about wire.ImageNote
	if err := asJSON(custom, &about); err != nil {
		return err
	}
	if _, twice := c.Images[about.URI]; twice || about.URI == "" {
		return fmt.Errorf("image %.80q is there twice or unnamed", about.URI)
	}
	c.Images[about.URI] = Image{Raw: raw, Integrity: wire.Integrity(raw)}
	return nil
}

func readPolicy(c *Contents, _ string, raw []byte, _ *json.RawMessage) error {
	var p wire.Policy
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	c.Policy.StatusMaxAge = map[string]time.Duration{}
	for vct, seconds := range p.StatusMaxAge {
		c.Policy.StatusMaxAge[vct] = time.Duration(seconds) * time.Second
	}
	return nil
}

// readAuthority joins what the nation says of an authority with what the
// authority says of itself. The authority's file can't change the nation's part: it has
// no fields for it.
func (v *verifier) readAuthority(c *Contents, path string, raw []byte, _ *json.RawMessage) error {
	var f wire.Authority
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	if !wire.PlainName(f.Code) || path != wire.AuthorityPath(f.Code) || f.ID == "" {
		return fmt.Errorf("authority %.40q in the wrong place", f.Code)
	}
	if _, twice := c.Issuer(f.ID); twice {
		return fmt.Errorf("issuer %.80q is there twice", f.ID)
	}
	issuer := Issuer{ID: f.ID, Code: f.Code, Name: f.Name}
	for _, a := range f.Authorised {
		issuer.Authorised = append(issuer.Authorised, Authorisation{VCT: a.VCT, DocType: a.DocType, Region: a.Region,
			From: wire.Time(a.From), To: wire.Time(a.To)})
	}
	if err := v.readIssuer(&issuer); err != nil {
		return err
	}
	c.Issuers = append(c.Issuers, issuer)
	return nil
}

func (v *verifier) readIssuer(issuer *Issuer) error {
	role := v.set.Targets[RoleIssuer(issuer.Code)]
	if role == nil {
		return nil
	}
	path := wire.IssuerPath(issuer.Code)
	target, ok := role.Signed.Targets[path]
	if !ok {
		return nil
	}
	raw, err := v.part(path, target)
	if err != nil {
		return err
	}
	var own wire.Issuer
	if err := json.Unmarshal(raw, &own); err != nil {
		return err
	}
	if own.Code != issuer.Code {
		return fmt.Errorf("issuer file of %.40q in the wrong place", own.Code)
	}
	issuer.Certificates = own.Certificates
	for _, r := range own.Revoked {
		issuer.Revoked = append(issuer.Revoked, RevokedKey{Thumbprint: r.Thumbprint, CompromisedAt: r.CompromisedAt})
	}
	return v.readSeals(issuer, role.Signed.Targets[wire.SealsPath(issuer.Code)])
}

// readSeals reads the seals of a seal maker from its own role; other authorities have none.
func (v *verifier) readSeals(issuer *Issuer, target *metadata.TargetFiles) error {
	if target == nil {
		return nil
	}
	raw, err := v.part(wire.SealsPath(issuer.Code), target)
	if err != nil {
		return err
	}
	var f wire.Seals
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	if f.Code != issuer.Code {
		return fmt.Errorf("seals of %.40q in the wrong place", f.Code)
	}
	seen := map[string]bool{}
	for _, s := range f.Seals {
		if s.ID == "" || seen[s.ID] || len(s.History) == 0 {
			return fmt.Errorf("seal %.80q is unnamed, there twice or has no history", s.ID)
		}
		seen[s.ID] = true
		seal := Seal{ID: s.ID, PayloadSHA256: s.PayloadSHA256}
		for _, h := range s.History {
			seal.History = append(seal.History, SealState(h))
		}
		issuer.Seals = append(issuer.Seals, seal)
	}
	return nil
}

// lists reads the status roles. A bundle from before mdocs has no RoleCWT.
func (v *verifier) lists(c *Contents) error {
	err := v.each(RoleStatus, func(uri string, raw []byte) (twice bool) {
		_, twice = c.StatusLists[uri]
		c.StatusLists[uri] = string(raw)
		return twice
	})
	if err != nil {
		return err
	}
	return v.each(RoleCWT, func(uri string, raw []byte) (twice bool) {
		_, twice = c.CWTLists[uri]
		c.CWTLists[uri] = raw
		return twice
	})
}

// each reads the lists of one role.
func (v *verifier) each(name string, keep func(uri string, raw []byte) (twice bool)) error {
	role := v.set.Targets[name]
	if role == nil {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(role.Signed.Targets)) {
		raw, err := v.part(path, role.Signed.Targets[path])
		if err != nil {
			return err
		}
		var about wire.ListNote
		if err := asJSON(role.Signed.Targets[path].Custom, &about); err != nil {
			return unreadable(path, err)
		}
		if about.URI == "" || keep(about.URI, raw) {
			return fmt.Errorf("%w: status list %.80q is there twice or unnamed", ErrMalformed, about.URI)
		}
	}
	return nil
}

func asJSON(raw *json.RawMessage, v any) error {
	if raw == nil {
		return fmt.Errorf("no custom object")
	}
	return json.Unmarshal(*raw, v)
}
