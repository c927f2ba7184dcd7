// Package layout lays out the facts of a bundle as the targets of its roles. It signs nothing.
package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/signing/bundle/facts"
	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// Part is one target: a signed file.
type Part struct {
	Body []byte
	// Custom is the JSON object beside its hash in the role's metadata, or nil.
	Custom json.RawMessage
}

// Of turns the input into the targets of each role, by role and path. Errors: facts.ErrInput.
func Of(in facts.Input) (map[string]map[string]Part, error) {
	national, status, cwt := map[string]Part{}, map[string]Part{}, map[string]Part{}
	roles := map[string]map[string]Part{"targets": national, facts.RoleStatus: status, facts.RoleCWT: cwt}
	for _, a := range in.Anchors {
		if a.Purpose == "" || !wire.PlainName(a.Purpose) || len(a.DER) == 0 {
			return nil, fmt.Errorf("%w: an anchor without purpose or certificate", facts.ErrInput)
		}
		national[wire.AnchorPath(a.Purpose, a.DER)] = Part{a.DER, wire.JSON(wire.AnchorNote{Purpose: a.Purpose})}
	}
	for vct, raw := range in.Types {
		if vct == "" || len(raw) == 0 {
			return nil, fmt.Errorf("%w: type metadata without vct or bytes", facts.ErrInput)
		}
		national[wire.TypePath(vct)] = Part{raw, wire.JSON(wire.TypeNote{VCT: vct})}
	}
	for uri, token := range in.StatusLists {
		if uri == "" || token == "" {
			return nil, fmt.Errorf("%w: status list without URI or token", facts.ErrInput)
		}
		status[wire.ListPath(uri)] = Part{[]byte(token), wire.JSON(wire.ListNote{URI: uri})}
	}
	for uri, token := range in.CWTLists {
		if uri == "" || len(token) == 0 {
			return nil, fmt.Errorf("%w: status list without URI or token", facts.ErrInput)
		}
		cwt[wire.CWTListPath(uri)] = Part{token, wire.JSON(wire.ListNote{URI: uri})}
	}
	for uri, raw := range in.Images {
		if uri == "" || len(raw) == 0 {
			return nil, fmt.Errorf("%w: image without URI or bytes", facts.ErrInput)
		}
		national[wire.ImagePath(uri)] = Part{raw, wire.JSON(wire.ImageNote{URI: uri})}
	}
	ages := wire.Policy{StatusMaxAge: map[string]int64{}}
	for vct, age := range in.Policy.StatusMaxAge {
		ages.StatusMaxAge[vct] = int64(age / time.Second)
	}
	national[wire.PolicyPath] = Part{Body: wire.JSON(ages)}
	return roles, layOutIssuers(in.Issuers, roles)
}

func layOutIssuers(issuers []facts.Issuer, roles map[string]map[string]Part) error {
	ids := map[string]bool{}
	for _, i := range issuers {
		if i.ID == "" || !wire.PlainName(i.Code) || ids[i.ID] || roles[facts.RoleIssuer(i.Code)] != nil {
			return fmt.Errorf("%w: issuer %q (%q) is unnamed or there twice", facts.ErrInput, i.ID, i.Code)
		}
		ids[i.ID] = true
		national := wire.Authority{ID: i.ID, Code: i.Code, Name: i.Name, Authorised: []wire.Authorisation{}}
		for _, a := range i.Authorised {
			national.Authorised = append(national.Authorised, wire.Authorisation{VCT: a.VCT, DocType: a.DocType, Region: a.Region, From: wire.Instant(a.From), To: wire.Instant(a.To)})
		}
		slices.SortFunc(national.Authorised, func(a, b wire.Authorisation) int { return bytes.Compare(wire.JSON(a), wire.JSON(b)) })
		own := wire.Issuer{Code: i.Code, Certificates: slices.Clone(i.Certificates)}
		slices.SortFunc(own.Certificates, bytes.Compare)
		for _, r := range i.Revoked {
			own.Revoked = append(own.Revoked, wire.Revoked{Thumbprint: r.Thumbprint, CompromisedAt: r.CompromisedAt.UTC()})
		}
		slices.SortFunc(own.Revoked, func(a, b wire.Revoked) int { return strings.Compare(a.Thumbprint, b.Thumbprint) })
		roles["targets"][wire.AuthorityPath(i.Code)] = Part{Body: wire.JSON(national)}
		roles[facts.RoleIssuer(i.Code)] = map[string]Part{wire.IssuerPath(i.Code): {Body: wire.JSON(own)}}
		if err := layOutSeals(i, roles[facts.RoleIssuer(i.Code)]); err != nil {
			return err
		}
	}
	return nil
}

// layOutSeals adds the seals of a seal maker to its own part.
func layOutSeals(i facts.Issuer, parts map[string]Part) error {
	if len(i.Seals) == 0 {
		return nil
	}
	out := wire.Seals{Code: i.Code}
	seen := map[string]bool{}
	for _, s := range i.Seals {
		if s.ID == "" || seen[s.ID] || len(s.PayloadSHA256) != 64 || len(s.History) == 0 {
			return fmt.Errorf("%w: seal %q is unnamed, there twice or has no history", facts.ErrInput, s.ID)
		}
		seen[s.ID] = true
		w := wire.Seal{ID: s.ID, PayloadSHA256: s.PayloadSHA256}
		for _, h := range s.History {
			w.History = append(w.History, wire.SealState{State: h.State, EffectiveAt: h.EffectiveAt.UTC(), RecordedAt: h.RecordedAt.UTC()})
		}
		out.Seals = append(out.Seals, w)
	}
	slices.SortFunc(out.Seals, func(a, b wire.Seal) int { return strings.Compare(a.ID, b.ID) })
	parts[wire.SealsPath(i.Code)] = Part{Body: wire.JSON(out)}
	return nil
}
