package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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

// Wire shapes of our own target files. Times are RFC 3339 in UTC.
type (
	authorityFile struct {
		ID         string              `json:"id"`
		Code       string              `json:"code"`
		Name       map[string]string   `json:"name,omitempty"`
		Authorised []authorisationFile `json:"authorised"`
	}
	authorisationFile struct {
		VCT    string     `json:"vct"`
		Region string     `json:"region,omitempty"`
		From   *time.Time `json:"from,omitempty"`
		To     *time.Time `json:"to,omitempty"`
	}
	issuerFile struct {
		Code         string        `json:"code"`
		Certificates [][]byte      `json:"certificates,omitempty"`
		Revoked      []revokedFile `json:"revoked,omitempty"`
	}
	revokedFile struct {
		Thumbprint    string    `json:"thumbprint"`
		CompromisedAt time.Time `json:"compromised_at"`
	}
	policyFile struct {
		// StatusMaxAge is seconds by vct, "" for all others.
		StatusMaxAge map[string]int64 `json:"status_max_age,omitempty"`
	}
	anchorCustom struct {
		Purpose string `json:"purpose"`
	}
	typeCustom struct {
		VCT string `json:"vct"`
	}
	listCustom struct {
		URI string `json:"uri"`
	}
)

const policyPath = "policy.json"

func authorityPath(code string) string { return "authorities/" + code + ".json" }
func issuerPath(code string) string    { return "issuers/" + code + "/issuer.json" }

// layOut turns the input into the targets of each role.
func layOut(in Input) (map[string]map[string]part, error) {
	national, status := map[string]part{}, map[string]part{}
	roles := map[string]map[string]part{"targets": national, RoleStatus: status}
	for _, a := range in.Anchors {
		if a.Purpose == "" || !plainName(a.Purpose) || len(a.DER) == 0 {
			return nil, fmt.Errorf("%w: an anchor without purpose or certificate", ErrInput)
		}
		national["anchors/"+a.Purpose+"-"+hexHash(a.DER)[:32]+".cer"] = part{a.DER, mustJSON(anchorCustom{a.Purpose})}
	}
	for vct, raw := range in.Types {
		if vct == "" || len(raw) == 0 {
			return nil, fmt.Errorf("%w: type metadata without vct or bytes", ErrInput)
		}
		national["types/"+hexHash([]byte(vct))+".json"] = part{raw, mustJSON(typeCustom{vct})}
	}
	for uri, token := range in.StatusLists {
		if uri == "" || token == "" {
			return nil, fmt.Errorf("%w: status list without URI or token", ErrInput)
		}
		status["status/"+hexHash([]byte(uri))+".jwt"] = part{[]byte(token), mustJSON(listCustom{uri})}
	}
	ages := policyFile{StatusMaxAge: map[string]int64{}}
	for vct, age := range in.Policy.StatusMaxAge {
		ages.StatusMaxAge[vct] = int64(age / time.Second)
	}
	national[policyPath] = part{body: mustJSON(ages)}
	return roles, layOutIssuers(in.Issuers, roles)
}

func layOutIssuers(issuers []Issuer, roles map[string]map[string]part) error {
	ids := map[string]bool{}
	for _, i := range issuers {
		if i.ID == "" || !plainName(i.Code) || ids[i.ID] || roles[RoleIssuer(i.Code)] != nil {
			return fmt.Errorf("%w: issuer %q (%q) is unnamed or there twice", ErrInput, i.ID, i.Code)
		}
		ids[i.ID] = true
		national := authorityFile{ID: i.ID, Code: i.Code, Name: i.Name, Authorised: []authorisationFile{}}
		for _, a := range i.Authorised {
			national.Authorised = append(national.Authorised, authorisationFile{a.VCT, a.Region, timeOrNil(a.From), timeOrNil(a.To)})
		}
		slices.SortFunc(national.Authorised, func(a, b authorisationFile) int { return bytes.Compare(mustJSON(a), mustJSON(b)) })
		own := issuerFile{Code: i.Code, Certificates: slices.Clone(i.Certificates)}
		slices.SortFunc(own.Certificates, bytes.Compare)
		for _, r := range i.Revoked {
			own.Revoked = append(own.Revoked, revokedFile{r.Thumbprint, r.CompromisedAt.UTC()})
		}
		slices.SortFunc(own.Revoked, func(a, b revokedFile) int { return strings.Compare(a.Thumbprint, b.Thumbprint) })
		roles["targets"][authorityPath(i.Code)] = part{body: mustJSON(national)}
		roles[RoleIssuer(i.Code)] = map[string]part{issuerPath(i.Code): {body: mustJSON(own)}}
	}
	return nil
}

// plainName limits what becomes part of a path or role name: letters, digits
// and hyphens, so that no code can climb out of its folder.
func plainName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-') {
			return false
		}
	}
	return true
}

// mustJSON encodes our own wire structs, which can't fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func hexHash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// integrity is the W3C Subresource Integrity form, as in vct#integrity.
func integrity(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(h[:])
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}
