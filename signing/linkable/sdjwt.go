package linkable

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// read tells the formats apart.
func read(b []byte) (traits, error) {
	b = bytes.TrimSpace(b)
	if bytes.ContainsRune(b, '~') {
		return readSDJWT(string(b))
	}
	return readMDoc(b)
}

// common are header members that all credentials of an issuer share. x5c and kid say who the issuer is.
var common = []string{"alg", "typ", "kid", "x5c", "x5t#S256", "vctm"}

// technical are claims that the issuer chose for the copy; each has its own look.
var technical = []string{"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "_sd", "_sd_alg"}

func readSDJWT(text string) (traits, error) {
	p, err := sdjwt.Parse(text)
	if err != nil {
		return traits{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if p.HasKeyBinding() {
		return traits{}, fmt.Errorf("%w: this is a presentation", ErrMalformed)
	}
	var payload map[string]any
	if err := jose.DecodeStrict(p.Payload(), &payload); err != nil {
		return traits{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	jwt, _, _ := strings.Cut(text, "~")
	t := traits{format: "dc+sd-jwt", kind: fmt.Sprint(payload["vct"], " of ", payload["iss"]), header: map[string]string{}, labels: map[string]string{},
		times: map[string]int64{}, shown: map[string]string{}, all: map[string]string{}, size: int64(len(jwt))}
	for name, raw := range p.Header().Raw {
		if !slices.Contains(common, name) {
			t.header[name] = canonical(raw)
		}
	}
	if chain := p.Header().X5C; len(chain) > 0 {
		t.start = start(chain[0])
	}
	t.holder(payload["cnf"])
	for _, name := range []string{"iat", "nbf", "exp"} {
		if v, ok := payload[name]; ok {
			t.times[name] = whole(v)
		}
	}
	t.status = sdStatus(payload["status"])
	for name, v := range payload {
		if !slices.Contains(technical, name) {
			t.shown[name] = canonical(withoutDigests(v))
		}
	}
	for name, v := range p.UnverifiedClaims() {
		if !slices.Contains(technical, name) {
			t.all[name] = canonical(v)
		}
	}
	t.sign = signatureStart(jwt)
	return t, t.disclosures(text, payload)
}

// start is when a certificate begins, 0 for one that can't be read.
func start(der []byte) int64 {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return 0
	}
	return c.NotBefore.Unix()
}

// holder reads cnf.jwk: the key is its members of the key type, anything else is a label.
func (t *traits) holder(cnf any) {
	m, _ := cnf.(map[string]any)
	jwk, _ := m["jwk"].(map[string]any)
	key := map[string]any{}
	for name, v := range jwk {
		if slices.Contains([]string{"kty", "crv", "x", "y", "n", "e"}, name) {
			key[name] = v
			continue
		}
		t.labels[name] = canonical(v)
	}
	for name, v := range m {
		if name != "jwk" {
			t.labels["cnf."+name] = canonical(v)
		}
	}
	t.key = canonical(key)
}

func sdStatus(v any) *statusRef {
	m, _ := v.(map[string]any)
	list, _ := m["status_list"].(map[string]any)
	uri, _ := list["uri"].(string)
	if uri == "" {
		return nil
	}
	return &statusRef{uri, whole(list["idx"])}
}

// whole reads a number without fraction, -1 for anything else.
func whole(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return -1
	}
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return i
}

func canonical(v any) string {
	b, err := json.Marshal(v) // sorted members
	if err != nil {
		return "?"
	}
	return string(b)
}

// withoutDigests leaves what a verifier reads.
func withoutDigests(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, child := range v {
			if name != "_sd" {
				out[name] = withoutDigests(child)
			}
		}
		return out
	case []any:
		var out []any
		for _, child := range v {
			if m, ok := child.(map[string]any); !ok || m["..."] == nil {
				out = append(out, withoutDigests(child))
			}
		}
		return out
	}
	return v
}

// signatureStart is r of an ECDSA signature, or the first half of another.
func signatureStart(jwt string) string {
	b, err := strictjson.Base64.DecodeString(jwt[strings.LastIndexByte(jwt, '.')+1:])
	if err != nil {
		return ""
	}
	return string(b[:len(b)/2])
}

// disclosures reads salts, digests and the order of the digests at the top.
func (t *traits) disclosures(text string, payload map[string]any) error {
	names := map[string]string{} // by digest
	for _, d := range strings.Split(text, "~")[1:] {
		if d == "" {
			continue
		}
		raw, err := strictjson.Base64.DecodeString(d)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		var parts []any
		if err := jose.DecodeStrict(raw, &parts); err != nil || len(parts) < 2 {
			return fmt.Errorf("%w: disclosure", ErrMalformed)
		}
		salt, _ := parts[0].(string)
		decoded, err := strictjson.Base64.DecodeString(salt)
		if err != nil {
			decoded = []byte(salt)
		}
		t.salts = append(t.salts, decoded)
		if name, ok := parts[1].(string); ok && len(parts) == 3 {
			names[digest(payload["_sd_alg"], d)] = name
		}
		t.collect(parts[len(parts)-1])
	}
	t.collect(payload)
	top, _ := payload["_sd"].([]any)
	for _, d := range top {
		d, _ := d.(string)
		t.places = append(t.places, names[d])
	}
	return nil
}

// collect gathers the digests below a value.
func (t *traits) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			list, isList := child.([]any)
			text, isText := child.(string)
			switch {
			case name == "_sd" && isList:
				for _, d := range list {
					t.digests = append(t.digests, fmt.Sprint(d))
				}
			case name == "..." && isText:
				t.digests = append(t.digests, text)
			default:
				t.collect(child)
			}
		}
	case []any:
		for _, child := range v {
			t.collect(child)
		}
	}
}
