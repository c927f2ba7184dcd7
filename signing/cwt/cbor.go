package cwt

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Raw is one encoded CBOR value that is kept as it is.
type Raw = cbor.RawMessage

// Tag numbers (RFC 8949 section 3.4, RFC 8943).
const (
	TagDateTime = 0    // text, RFC 3339
	TagEncoded  = 24   // a byte string that holds encoded CBOR
	TagFullDate = 1004 // text, RFC 3339 full-date
	tagSign1    = 18
)

var decoder = must(cbor.DecOptions{
	DupMapKey:          cbor.DupMapKeyEnforcedAPF,
	IndefLength:        cbor.IndefLengthForbidden,
	MaxNestedLevels:    MaxDepth,
	MaxArrayElements:   MaxElements,
	MaxMapPairs:        MaxPairs,
	IntDec:             cbor.IntDecConvertSignedOrFail,
	MapKeyByteString:   cbor.MapKeyByteStringForbidden,
	FieldNameMatching:  cbor.FieldNameMatchingCaseSensitive,
	BignumTag:          cbor.BignumTagForbidden,
	NaN:                cbor.NaNDecodeForbidden,
	Inf:                cbor.InfDecodeForbidden,
	UTF8:               cbor.UTF8RejectInvalid,
	DefaultMapType:     nil,
	ExtraReturnErrors:  cbor.ExtraDecErrorNone,
	ByteStringToString: cbor.ByteStringToStringForbidden,
}.DecMode())

var encoder = must(cbor.CoreDetEncOptions().EncMode())

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return v
}

// Marshal encodes v deterministically (RFC 8949 section 4.2): equal values, equal bytes. Strings must be valid UTF-8.
func Marshal(v any) ([]byte, error) {
	b, err := encoder.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return b, nil
}

// Unmarshal decodes exactly one CBOR value into v, strictly. What v keeps as Raw was checked to be well-formed; its own
// duplicate keys show when it is decoded in turn. A fraction is never taken for a whole number. Errors: ErrMalformed, ErrTooLarge. The caller
// limits the size of b.
func Unmarshal(b []byte, v any) error {
	err := decoder.Unmarshal(b, v)
	if err == nil {
		return nil
	}
	kind := ErrMalformed
	var depth *cbor.MaxNestedLevelError
	var array *cbor.MaxArrayElementsError
	var pairs *cbor.MaxMapPairsError
	if errors.As(err, &depth) || errors.As(err, &array) || errors.As(err, &pairs) {
		kind = ErrTooLarge
	}
	return fmt.Errorf("%w: %T", kind, err) // the library's text may quote the message
}

// Encoded wraps encoded CBOR as #6.24(bstr .cbor value), which keeps its bytes through every hand (RFC 8949 section 3.4.5.1).
func Encoded(inner []byte) (Raw, error) {
	return Marshal(cbor.Tag{Number: TagEncoded, Content: inner})
}

// ParseEncoded is the inverse of Encoded: what is inside, not yet decoded.
func ParseEncoded(b []byte) ([]byte, error) {
	t, content, err := ParseTag(b)
	if err != nil {
		return nil, err
	}
	if t != TagEncoded {
		return nil, fmt.Errorf("%w: not encoded CBOR", ErrMalformed)
	}
	var inner []byte
	if len(content) == 0 || content[0]>>5 != 2 {
		return nil, fmt.Errorf("%w: encoded CBOR isn't a byte string", ErrMalformed)
	}
	return inner, Unmarshal(content, &inner)
}

// MarshalTag encodes a tagged value.
func MarshalTag(number uint64, content any) (Raw, error) {
	return Marshal(cbor.Tag{Number: number, Content: content})
}

// ParseTag reads the number of a tagged value and what it stands before.
func ParseTag(b []byte) (number uint64, content Raw, err error) {
	if len(b) == 0 || b[0]>>5 != 6 {
		return 0, nil, fmt.Errorf("%w: not tagged", ErrMalformed)
	}
	var t cbor.RawTag
	if err := Unmarshal(b, &t); err != nil {
		return 0, nil, err
	}
	return t.Number, t.Content, nil
}
