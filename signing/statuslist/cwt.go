package statuslist

import (
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

type wireCWT struct {
	Subject    string      `cbor:"2,keyasint"`
	Expires    int64       `cbor:"4,keyasint,omitempty"`
	IssuedAt   int64       `cbor:"6,keyasint"`
	StatusList wireCWTList `cbor:"65533,keyasint"`
	TTL        int64       `cbor:"65534,keyasint,omitempty"`
}

type wireCWTList struct {
	Bits        int    `cbor:"bits"`
	List        []byte `cbor:"lst"`
	Aggregation string `cbor:"aggregation_uri,omitempty"`
}

// PayloadCWT lays out the payload of a token in CWT form (section 5.2): what is recorded before it is signed.
func PayloadCWT(c Claims) ([]byte, error) {
	lst, err := c.compressed()
	if err != nil {
		return nil, err
	}
	w := wireCWT{Subject: c.URI, IssuedAt: c.IssuedAt.Unix(), TTL: int64(c.TTL / time.Second),
		StatusList: wireCWTList{Bits: c.List.bits, List: lst, Aggregation: c.AggregationURI}}
	if !c.Expires.IsZero() {
		w.Expires = c.Expires.Unix()
	}
	return cwt.Marshal(w)
}

// SignCWT signs what PayloadCWT laid out: COSE_Sign1 with its tag, and without the one for CWTs. x5chain is the chain of
// the status key, leaf first, without the root.
func SignCWT(key jose.SigningKey, x5chain [][]byte, payload []byte) ([]byte, error) {
	return cwt.Sign(key, cwt.Header{Typ: TypCWT, X5Chain: x5chain}, cwt.Form{Tagged: true}, payload)
}

// ParseCWT reads a status list token in CWT form; otherwise like ParseToken.
func ParseCWT(b []byte) (ParsedToken, error) {
	u, err := cwt.Parse(b, cwt.Policy{Tagged: true, Typ: TypCWT, Algs: policy.Algs, MaxBytes: MaxTokenBytes})
	if err != nil {
		return ParsedToken{}, fmt.Errorf("statuslist: token: %w", err)
	}
	var w struct {
		Subject    *string `cbor:"2,keyasint"`
		Expires    *int64  `cbor:"4,keyasint"`
		IssuedAt   *int64  `cbor:"6,keyasint"`
		StatusList *struct {
			Bits *int64  `cbor:"bits"`
			List cwt.Raw `cbor:"lst"`
		} `cbor:"65533,keyasint"`
		TTL *int64 `cbor:"65534,keyasint"`
	}
	if err := cwt.Unmarshal(u.Payload(), &w); err != nil {
		return ParsedToken{}, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if w.Subject == nil || *w.Subject == "" || w.IssuedAt == nil || w.StatusList == nil || w.StatusList.Bits == nil {
		return ParsedToken{}, fmt.Errorf("%w: sub, iat or the list is missing", ErrMalformed)
	}
	p := ParsedToken{x5c: u.X5Chain(), alg: u.Alg(), uri: *w.Subject, lstBinary: []byte{}}
	p.verify = func(keys ...jose.JWK) error { _, err := u.Verify(keys...); return err }
	if raw := w.StatusList.List; len(raw) == 0 || raw[0]>>5 != 2 || cwt.Unmarshal(raw, &p.lstBinary) != nil {
		return ParsedToken{}, fmt.Errorf("%w: lst isn't a byte string", ErrMalformed)
	}
	if p.issuedAt, err = seconds(w.IssuedAt); err != nil {
		return ParsedToken{}, err
	}
	if p.expires, err = seconds(w.Expires); err != nil {
		return ParsedToken{}, err
	}
	if w.TTL != nil {
		if *w.TTL <= 0 || *w.TTL > 1<<31 {
			return ParsedToken{}, fmt.Errorf("%w: ttl", ErrMalformed)
		}
		p.ttl = time.Duration(*w.TTL) * time.Second
	}
	if b := *w.StatusList.Bits; b != 1 && b != 2 && b != 4 && b != 8 {
		return ParsedToken{}, fmt.Errorf("%w: %d per entry", ErrBits, b)
	}
	p.bits = int(*w.StatusList.Bits)
	return p, nil
}
