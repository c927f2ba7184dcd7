package verify

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Check is the outcome of one check.
type Check struct {
	Name   CheckName
	Result Result
	// Reason is a stable code ("revoked", "stale_bundle", "ok"), Detail a sentence in English without claim values.
	Reason string
	Detail string
	// AsOf is the moment that the result is about; zero where it has none.
	AsOf time.Time
}

// Verdict is the judgement on one presentation. Only Verify makes one that says anything: the zero Verdict is "cannot
// tell", and nothing outside of this package can fill it.
type Verdict struct {
	outcome  Outcome
	reason   string
	at       time.Time
	checks   []Check
	vct      string
	typeName map[string]string
	issuer   *IssuerFact
	claims   map[string]any
	hidden   []hiddenClaim
	labels   map[string]map[string]string // of claims that were shown, by name and language
	path     []Certificate
	status   *StatusFact
	bundle   *BundleFact
	holder   string
	notes    []string
}

// IssuerFact is who issued the credential, as the bundle knows it.
type IssuerFact struct {
	ID   string            `json:"id"`
	Code string            `json:"code"`
	Name map[string]string `json:"name"`
}

// StatusFact is what the status list said.
type StatusFact struct {
	URI        string `json:"uri"`
	Index      int64  `json:"index"`
	Value      string `json:"value"`
	AsOf       string `json:"as_of"`
	AgeSeconds int64  `json:"age_seconds"`
	Expires    string `json:"expires,omitempty"`

	asOf time.Time
}

// BundleFact is which bundle was used.
type BundleFact struct {
	Version    int64  `json:"version"`
	Digest     string `json:"digest,omitempty"`
	AsOf       string `json:"as_of"`
	Expires    string `json:"expires"`
	AgeSeconds int64  `json:"age_seconds"`

	asOf, expires time.Time
}

// Certificate is one link of the trust path.
type Certificate struct {
	Subject   string `json:"subject"`
	SHA256    string `json:"sha256"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
}

type hiddenClaim struct {
	path   string
	labels map[string]string
}

// Outcome is the verdict in one word.
func (v Verdict) Outcome() Outcome {
	if v.outcome == "" {
		return CannotTell
	}
	return v.outcome
}

// ExitCode is the exit code of the command line: 0 valid, 2 invalid, 3 cannot tell.
func (v Verdict) ExitCode() int {
	switch v.Outcome() {
	case Valid:
		return 0
	case Invalid:
		return 2
	}
	return 3
}

// Reason is the code of the check that decided; "ok" for a valid one.
func (v Verdict) Reason() string { return v.reason }

// Checks are the nine checks in their order.
func (v Verdict) Checks() []Check { return slices.Clone(v.checks) }

// Check returns one check; the zero Check when there is none of this name.
func (v Verdict) Check(name CheckName) Check {
	for _, c := range v.checks {
		if c.Name == name {
			return c
		}
	}
	return Check{}
}

// VCT is the credential's type; empty when it couldn't be read.
func (v Verdict) VCT() string { return v.vct }

// Issuer is the issuer as the bundle knows it; false before chain and authorisation passed.
func (v Verdict) Issuer() (IssuerFact, bool) {
	if v.issuer == nil {
		return IssuerFact{}, false
	}
	return *v.issuer, true
}

// Claims are what the holder showed, without the registered claims. They are empty unless signature, chain and
// authorisation passed and nothing failed: what nobody vouches for is not to be shown on a screen.
func (v Verdict) Claims() map[string]any { return maps.Clone(v.claims) }

// NotDisclosed are the claims that the type knows and that weren't shown, as dotted paths. Whether the issuer ever made
// them can't be told apart, on purpose.
func (v Verdict) NotDisclosed() []string {
	out := make([]string, len(v.hidden))
	for i, h := range v.hidden {
		out[i] = h.path
	}
	return out
}

// TrustPath is the chain of certificates from the root, or the anchor, to the issuer's.
func (v Verdict) TrustPath() []Certificate { return slices.Clone(v.path) }

// At is the time of the judgement.
func (v Verdict) At() time.Time { return v.at }

type checkJSON struct {
	Name   CheckName `json:"name"`
	Result Result    `json:"result"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	AsOf   string    `json:"as_of,omitempty"`
}

// JSON is the verdict as one line of JSON, snake_case, with a stable order: same input, same bytes.
func (v Verdict) JSON() []byte {
	view := struct {
		Verdict      Outcome           `json:"verdict"`
		Reason       string            `json:"reason"`
		At           string            `json:"at"`
		VCT          string            `json:"vct,omitempty"`
		TypeName     map[string]string `json:"type_name,omitempty"`
		Issuer       *IssuerFact       `json:"issuer,omitempty"`
		Checks       []checkJSON       `json:"checks"`
		Claims       map[string]any    `json:"claims,omitempty"`
		NotDisclosed []string          `json:"not_disclosed"`
		TrustPath    []Certificate     `json:"trust_path"`
		Holder       string            `json:"holder_key,omitempty"`
		Status       *StatusFact       `json:"status,omitempty"`
		Bundle       *BundleFact       `json:"bundle,omitempty"`
		Notes        []string          `json:"notes,omitempty"`
	}{
		v.Outcome(), v.reason, stamp(v.at), v.vct, v.typeName, v.issuer, make([]checkJSON, len(v.checks)), v.claims,
		v.NotDisclosed(), append([]Certificate{}, v.path...), v.holder, v.status, v.bundle, v.notes,
	}
	for i, c := range v.checks {
		view.Checks[i] = checkJSON{c.Name, c.Result, c.Reason, c.Detail, stamp(c.AsOf)}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(view); err != nil { // only JSON types are in it
		return []byte(`{"verdict":"cannot_tell","reason":"internal"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// MarshalJSON is JSON.
func (v Verdict) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// stamp writes a time; empty for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// conclude is the last step and the only place where a Verdict comes from. It believes nothing but the nine results:
// a check that is missing, doubled, out of order or has no known result can't lead to "valid".
func (r *run) conclude() Verdict {
	v := Verdict{outcome: Valid, reason: reasonOK, at: r.at.UTC(), checks: r.checks, vct: r.vct, bundle: r.clock.fact}
	if len(r.checks) != len(order) {
		v.outcome, v.reason = CannotTell, reasonNotChecked
	}
	for i, c := range r.checks {
		known := i < len(order) && c.Name == order[i]
		switch {
		case known && c.Result == Pass:
		case c.Result == Fail:
			if v.outcome != Invalid {
				v.outcome, v.reason = Invalid, c.Reason
			}
		case v.outcome == Valid || v.outcome == CannotTell && c.Name == CheckBundle:
			v.outcome, v.reason = CannotTell, c.Reason // the bundle explains most of what isn't known
		}
	}
	r.describe(&v)
	return v
}

// registered are the claims that a clerk needn't see.
var registered = map[string]bool{"iss": true, "iat": true, "nbf": true, "exp": true, "cnf": true, "vct": true,
	"vct#integrity": true, "aka_vcts": true, "status": true, "sub": true, "jti": true, "aud": true}

// describe adds what the report says besides the verdict itself.
func (r *run) describe(v *Verdict) {
	if v.outcome != Invalid || r.status != nil {
		v.status = r.status
	}
	if r.path != nil {
		v.path = r.path.described
	}
	if r.meta != nil {
		v.typeName = r.meta.names
	}
	vouched := r.passed(CheckSignature) && r.passed(CheckChain) && r.passed(CheckIssuerAuthorised)
	if vouched && r.issuer != nil {
		v.issuer = &IssuerFact{ID: r.issuer.ID, Code: r.issuer.Code, Name: r.issuer.Name}
	}
	if vouched {
		v.hidden = r.hiddenClaims()
	}
	if vouched && v.outcome != Invalid {
		v.claims = map[string]any{}
		for name, value := range r.claims {
			if !registered[name] {
				v.claims[name] = value
			}
		}
		if r.meta != nil {
			v.labels = r.meta.labels
		}
	}
	if r.passed(CheckHolder) {
		v.holder = r.holder
	}
	if b := r.v.contents; b != nil && r.v.policy.NewestSeen > b.Version {
		v.notes = append(v.notes, "a newer bundle was seen on this machine")
	}
}
