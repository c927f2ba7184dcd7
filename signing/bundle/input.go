package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// ErrInput: the input of Build contradicts itself, or misses a part or a key.
var ErrInput = errors.New("bundle: unusable input")

// Input is what goes into a bundle. Order doesn't matter: Build sorts.
type Input struct {
	Anchors []Anchor
	Issuers []Issuer
	// Types has type metadata, byte for byte as published, by vct.
	Types map[string][]byte
	// StatusLists has status list tokens as published, by URI (their sub).
	StatusLists map[string]string
	Policy      Policy
}

// Files is a TUF repository: bytes by path, relative to the repository's base
// ("timestamp.json", "1.root.json", "targets/status/<sha256>.<name>").
type Files map[string][]byte

// Digest is a SHA-256 over everything in the input: equal digests, equal bundles.
func (in Input) Digest() ([32]byte, error) {
	roles, err := layOut(in)
	if err != nil {
		return [32]byte{}, err
	}
	h := sha256.New()
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(h, "role %s\n", role)
		parts := roles[role]
		for _, path := range slices.Sorted(maps.Keys(parts)) {
			fmt.Fprintf(h, "%x %x %x\n", sha256.Sum256([]byte(path)), sha256.Sum256(parts[path].body), sha256.Sum256(parts[path].custom))
		}
	}
	return [32]byte(h.Sum(nil)), nil
}

// Role names of the delegated roles.
const (
	// RoleStatus signs status list tokens.
	RoleStatus = "status"
	// issuerRole + credit code is the role of one issuing authority.
	issuerRole = "issuer-"
)

// RoleIssuer is the name of the delegated role of the authority with this credit code.
func RoleIssuer(code string) string { return issuerRole + code }

// part is one target: a signed file.
type part struct {
	body []byte
	// custom is the JSON object beside its hash in the role's metadata, or nil.
	custom json.RawMessage
}

// layOut turns the input into the targets of each role.
func layOut(in Input) (map[string]map[string]part, error) {
	national, status := map[string]part{}, map[string]part{}
	roles := map[string]map[string]part{"targets": national, RoleStatus: status}
	for _, a := range in.Anchors {
		if a.Purpose == "" || !wire.PlainName(a.Purpose) || len(a.DER) == 0 {
			return nil, fmt.Errorf("%w: an anchor without purpose or certificate", ErrInput)
		}
		national[wire.AnchorPath(a.Purpose, a.DER)] = part{a.DER, wire.JSON(wire.AnchorNote{Purpose: a.Purpose})}
	}
	for vct, raw := range in.Types {
		if vct == "" || len(raw) == 0 {
			return nil, fmt.Errorf("%w: type metadata without vct or bytes", ErrInput)
		}
		national[wire.TypePath(vct)] = part{raw, wire.JSON(wire.TypeNote{VCT: vct})}
	}
	for uri, token := range in.StatusLists {
		if uri == "" || token == "" {
			return nil, fmt.Errorf("%w: status list without URI or token", ErrInput)
		}
		status[wire.ListPath(uri)] = part{[]byte(token), wire.JSON(wire.ListNote{URI: uri})}
	}
	ages := wire.Policy{StatusMaxAge: map[string]int64{}}
	for vct, age := range in.Policy.StatusMaxAge {
		ages.StatusMaxAge[vct] = int64(age / time.Second)
	}
	national[wire.PolicyPath] = part{body: wire.JSON(ages)}
	return roles, layOutIssuers(in.Issuers, roles)
}

func layOutIssuers(issuers []Issuer, roles map[string]map[string]part) error {
	ids := map[string]bool{}
	for _, i := range issuers {
		if i.ID == "" || !wire.PlainName(i.Code) || ids[i.ID] || roles[RoleIssuer(i.Code)] != nil {
			return fmt.Errorf("%w: issuer %q (%q) is unnamed or there twice", ErrInput, i.ID, i.Code)
		}
		ids[i.ID] = true
		national := wire.Authority{ID: i.ID, Code: i.Code, Name: i.Name, Authorised: []wire.Authorisation{}}
		for _, a := range i.Authorised {
			national.Authorised = append(national.Authorised, wire.Authorisation{VCT: a.VCT, Region: a.Region, From: wire.Instant(a.From), To: wire.Instant(a.To)})
		}
		slices.SortFunc(national.Authorised, func(a, b wire.Authorisation) int { return bytes.Compare(wire.JSON(a), wire.JSON(b)) })
		own := wire.Issuer{Code: i.Code, Certificates: slices.Clone(i.Certificates)}
		slices.SortFunc(own.Certificates, bytes.Compare)
		for _, r := range i.Revoked {
			own.Revoked = append(own.Revoked, wire.Revoked{Thumbprint: r.Thumbprint, CompromisedAt: r.CompromisedAt.UTC()})
		}
		slices.SortFunc(own.Revoked, func(a, b wire.Revoked) int { return strings.Compare(a.Thumbprint, b.Thumbprint) })
		roles["targets"][wire.AuthorityPath(i.Code)] = part{body: wire.JSON(national)}
		roles[RoleIssuer(i.Code)] = map[string]part{wire.IssuerPath(i.Code): {body: wire.JSON(own)}}
		if err := layOutSeals(i, roles[RoleIssuer(i.Code)]); err != nil {
			return err
		}
	}
	return nil
}

// layOutSeals adds the seals of a seal maker to its own part.
func layOutSeals(i Issuer, parts map[string]part) error {
	if len(i.Seals) == 0 {
		return nil
	}
	out := wire.Seals{Code: i.Code}
	seen := map[string]bool{}
	for _, s := range i.Seals {
		if s.ID == "" || seen[s.ID] || len(s.PayloadSHA256) != 64 || len(s.History) == 0 {
			return fmt.Errorf("%w: seal %q is unnamed, there twice or has no history", ErrInput, s.ID)
		}
		seen[s.ID] = true
		w := wire.Seal{ID: s.ID, PayloadSHA256: s.PayloadSHA256}
		for _, h := range s.History {
			w.History = append(w.History, wire.SealState{State: h.State, EffectiveAt: h.EffectiveAt.UTC(), RecordedAt: h.RecordedAt.UTC()})
		}
		out.Seals = append(out.Seals, w)
	}
	slices.SortFunc(out.Seals, func(a, b wire.Seal) int { return strings.Compare(a.ID, b.ID) })
	parts[wire.SealsPath(i.Code)] = part{body: wire.JSON(out)}
	return nil
}
