package statuslist

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Claims are what a status list token says.
type Claims struct {
	// URI is the list's address, which credentials name; it becomes "sub".
	URI string
	// IssuedAt is the moment that the values are of; whole seconds.
	IssuedAt time.Time
	// Expires ends all use of the token; zero leaves it out. TTL is how long a copy fetched online is fresh; zero leaves
	// it out.
	Expires time.Time
	TTL     time.Duration
	List    List
	// Compressed is what List.Compress returned, for who lays out both forms; nil compresses the list.
	Compressed []byte
	// AggregationURI is where the URIs of all lists of this issuer stand (section 9); "" leaves it out.
	AggregationURI string
}

type wireClaims struct {
	Subject    string   `json:"sub"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp,omitempty"`
	TTL        int64    `json:"ttl,omitempty"`
	StatusList wireList `json:"status_list"`
}

type wireList struct {
	Bits        int    `json:"bits"`
	List        string `json:"lst"`
	Aggregation string `json:"aggregation_uri,omitempty"`
}

// compressed checks the claims and returns "lst" as bytes.
func (c Claims) compressed() ([]byte, error) {
	if c.URI == "" || c.IssuedAt.IsZero() {
		return nil, fmt.Errorf("%w: a token needs sub and iat", ErrMalformed)
	}
	if !c.Expires.IsZero() && !c.Expires.After(c.IssuedAt) {
		return nil, fmt.Errorf("%w: exp isn't after iat", ErrMalformed)
	}
	if c.Compressed != nil && c.List.bits != 0 {
		return c.Compressed, nil
	}
	return c.List.Compress()
}

// Payload lays out the payload of a token in JWT form: what is recorded before it is signed.
func Payload(c Claims) ([]byte, error) {
	lst, err := c.compressed()
	if err != nil {
		return nil, err
	}
	w := wireClaims{
		Subject:    c.URI,
		IssuedAt:   c.IssuedAt.Unix(),
		TTL:        int64(c.TTL / time.Second),
		StatusList: wireList{Bits: c.List.bits, List: base64.RawURLEncoding.EncodeToString(lst), Aggregation: c.AggregationURI},
	}
	if !c.Expires.IsZero() {
		w.Expires = c.Expires.Unix()
	}
	return json.Marshal(w)
}

// Sign signs what Payload laid out. x5c is the chain of the status key, leaf first, without the root. The header has the key as "jwk" too, for readers
// without any anchor, which can't check more than that the token is whole; nobody else should look at it.
func Sign(key jose.SigningKey, x5c [][]byte, payload []byte) (string, error) {
	public, err := key.Public()
	if err != nil {
		return "", err
	}
	return jose.Sign(key, jose.Header{Typ: Typ, X5C: x5c, JWK: &public}, payload)
}

var policy = jose.Policy{
	Typ:      []string{Typ},
	Algs:     []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256},
	MaxBytes: MaxTokenBytes,
}

// ParsedToken is a status list token whose structure was checked and whose signature was not.
type ParsedToken struct {
	verify    func(...jose.JWK) error
	x5c       [][]byte
	alg       jose.Alg
	keyID     string
	uri       string
	issuedAt  time.Time
	expires   time.Time
	ttl       time.Duration
	bits      int
	lst       string // in JWT form
	lstBinary []byte // in CWT form
}

// ParseToken reads a status list token in JWT form. The list itself is inflated only once the signature holds.
func ParseToken(text string) (ParsedToken, error) {
	u, err := jose.ParseUnverified(text, policy)
	if err != nil {
		return ParsedToken{}, fmt.Errorf("statuslist: token: %w", err)
	}
	var w struct {
		Subject    *string      `json:"sub"`
		IssuedAt   *json.Number `json:"iat"`
		Expires    *json.Number `json:"exp"`
		TTL        *json.Number `json:"ttl"`
		StatusList *struct {
			Bits *json.Number `json:"bits"`
			List *string      `json:"lst"`
		} `json:"status_list"`
	}
	if err := jose.DecodeStrict(u.Payload, &w); err != nil {
		return ParsedToken{}, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if w.Subject == nil || *w.Subject == "" || w.IssuedAt == nil || w.StatusList == nil || w.StatusList.Bits == nil ||
		w.StatusList.List == nil {
		return ParsedToken{}, fmt.Errorf("%w: sub, iat or status_list is missing", ErrMalformed)
	}
	p := ParsedToken{x5c: u.Header.X5C, alg: u.Header.Alg, keyID: u.Header.KeyID, uri: *w.Subject, lst: *w.StatusList.List}
	p.verify = func(keys ...jose.JWK) error { _, err := u.Verify(keys...); return err }
	if p.issuedAt, err = date(w.IssuedAt); err != nil {
		return ParsedToken{}, err
	}
	if p.expires, err = date(w.Expires); err != nil {
		return ParsedToken{}, err
	}
	if w.TTL != nil {
		ttl, err := w.TTL.Int64()
		if err != nil || ttl <= 0 || ttl > 1<<31 {
			return ParsedToken{}, fmt.Errorf("%w: ttl", ErrMalformed)
		}
		p.ttl = time.Duration(ttl) * time.Second
	}
	bits, err := w.StatusList.Bits.Int64()
	if err != nil || bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return ParsedToken{}, fmt.Errorf("%w: %s per entry", ErrBits, w.StatusList.Bits)
	}
	p.bits = int(bits)
	return p, nil
}

// date reads a NumericDate in whole seconds; nil is the zero time.
func date(n *json.Number) (time.Time, error) {
	if n == nil {
		return time.Time{}, nil
	}
	s, err := n.Int64()
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: a time isn't in whole seconds", ErrMalformed)
	}
	return seconds(&s)
}

// seconds reads a time of either form; nil is the zero time.
func seconds(s *int64) (time.Time, error) {
	if s == nil {
		return time.Time{}, nil
	}
	if *s <= 0 || *s > 253402300799 { // the year 9999
		return time.Time{}, fmt.Errorf("%w: a time before 1970 or after 9999", ErrMalformed)
	}
	return time.Unix(*s, 0).UTC(), nil
}

// X5C is the chain that came with the token. It must lead to an anchor for status before its key is given to Verify.
func (p ParsedToken) X5C() [][]byte { return p.x5c }

// Alg is the algorithm of the signature.
func (p ParsedToken) Alg() jose.Alg { return p.alg }

// IssuedAt is the moment that the token says its values are of, not proven yet.
func (p ParsedToken) IssuedAt() time.Time { return p.issuedAt }

// KeyID is the header's kid; "" of a CWT, whose kid is bytes.
func (p ParsedToken) KeyID() string { return p.keyID }

// Verify checks the signature with keys that the caller trusts for status, that the token is the list of this URI
// (ErrSubject: else one valid list would clear the credentials of every other), and inflates the list. Whether
// the token is still in force is asked of Token.Status.
func (p ParsedToken) Verify(uri string, keys ...jose.JWK) (Token, error) {
	if p.verify == nil {
		return Token{}, fmt.Errorf("%w: no token", ErrMalformed)
	}
	if err := p.verify(keys...); err != nil {
		return Token{}, fmt.Errorf("statuslist: token: %w", err)
	}
	if p.uri != uri {
		return Token{}, ErrSubject
	}
	var l List
	var err error
	if p.lstBinary != nil {
		l, err = Inflate(p.bits, p.lstBinary)
	} else {
		l, err = Decode(p.bits, p.lst)
	}
	if err != nil {
		return Token{}, err
	}
	return Token{issuedAt: p.issuedAt, expires: p.expires, ttl: p.ttl, uri: uri, list: l}, nil
}

// Token is a status list token whose signature was checked. Only Verify makes it.
type Token struct {
	uri               string
	issuedAt, expires time.Time
	ttl               time.Duration
	list              List
}

// Leeway is how far in the future iat may lie: two machines' clocks differ.
const Leeway = time.Minute

// URI is the list's address.
func (t Token) URI() string { return t.uri }

// IssuedAt is the moment that the values are of.
func (t Token) IssuedAt() time.Time { return t.issuedAt }

// Expires is when the token ends; zero when it says none.
func (t Token) Expires() time.Time { return t.expires }

// TTL is how long a copy fetched online is fresh; zero when it says none.
func (t Token) TTL() time.Duration { return t.ttl }

// List is the list without regard to time.
func (t Token) List() List { return t.list }

// Status returns the value of one entry as of IssuedAt, judged at the given time. Errors: ErrExpired, ErrNotYet, ErrIndex.
// An error means "not known", never "revoked" and never "valid".
func (t Token) Status(index int64, at time.Time) (Status, error) {
	if !t.expires.IsZero() && !at.Before(t.expires) {
		return 0, ErrExpired
	}
	if t.issuedAt.After(at.Add(Leeway)) {
		return 0, ErrNotYet
	}
	return t.list.At(index)
}

// Reference is what a credential's "status" claim says (section 6.2).
type Reference struct {
	URI   string
	Index int64
}

// ParseReference reads the "status" claim of processed claims. ok is false when the claim or its status_list member is
// absent. A reference that is there but broken is ErrMalformed: it must not count as "has no status".
func ParseReference(claims map[string]any) (ref Reference, ok bool, err error) {
	status, present := claims["status"]
	if !present {
		return Reference{}, false, nil
	}
	members, isObject := status.(map[string]any)
	if !isObject {
		return Reference{}, false, fmt.Errorf("%w: status isn't an object", ErrMalformed)
	}
	list, present := members["status_list"]
	if !present {
		return Reference{}, false, nil
	}
	m, isObject := list.(map[string]any)
	uri, isString := m["uri"].(string)
	n, isNumber := m["idx"].(json.Number)
	if !isObject || !isString || uri == "" || !isNumber {
		return Reference{}, false, fmt.Errorf("%w: status_list needs uri and idx", ErrMalformed)
	}
	idx, err := n.Int64()
	if err != nil || idx < 0 {
		return Reference{}, false, fmt.Errorf("%w: idx", ErrIndex)
	}
	return Reference{URI: uri, Index: idx}, true, nil
}

// Claim is the form of the "status" claim in an issuer's template.
func (r Reference) Claim() map[string]any {
	return map[string]any{"status_list": map[string]any{"idx": r.Index, "uri": r.URI}}
}
