package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// Entry is one value that isn't Valid.
type Entry struct {
	Index int64
	Value Status
}

// List is a status list: a fixed number of entries of equal width. It is never changed once made, so it may be shared.
type List struct {
	bits int
	data []byte
}

// Build makes a list of size entries, all Valid but the given ones. It costs the bytes of the list plus one step per
// entry, in any order; where an index comes twice, the last value holds. bits is 1, 2, 4 or 8. A size that doesn't fill
// the last byte is rounded up by the format itself.
func Build(bits int, size int64, set []Entry) (List, error) {
	if bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return List{}, fmt.Errorf("%w: %d per entry", ErrBits, bits)
	}
	per := int64(8 / bits)
	if size <= 0 || size > MaxBytes*per {
		return List{}, fmt.Errorf("%w: %d entries", ErrTooLarge, size)
	}
	data := make([]byte, (size+per-1)/per)
	mask := byte(1<<bits - 1)
	for _, e := range set {
		if e.Index < 0 || e.Index >= size {
			return List{}, fmt.Errorf("%w: %d of %d", ErrIndex, e.Index, size)
		}
		if byte(e.Value) > mask {
			return List{}, fmt.Errorf("%w: value %d in %d bits", ErrBits, e.Value, bits)
		}
		shift := uint(e.Index%per) * uint(bits) // the first entry is in the least significant bits
		cell := &data[e.Index/per]
		*cell = *cell&^(mask<<shift) | byte(e.Value)<<shift
	}
	return List{bits: bits, data: data}, nil
}

// FromBytes makes a list of the uncompressed byte array (section 4.1), which is copied.
func FromBytes(bits int, data []byte) (List, error) {
	if bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return List{}, fmt.Errorf("%w: %d per entry", ErrBits, bits)
	}
	if len(data) == 0 || len(data) > MaxBytes {
		return List{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	return List{bits: bits, data: bytes.Clone(data)}, nil
}

// Bits is the width of an entry.
func (l List) Bits() int { return l.bits }

// Len is the number of entries that the bytes have room for.
func (l List) Len() int64 {
	if l.bits == 0 {
		return 0
	}
	return int64(len(l.data)) * int64(8/l.bits)
}

// Bytes returns a copy of the uncompressed byte array.
func (l List) Bytes() []byte { return bytes.Clone(l.data) }

// At returns the value of one entry, ErrIndex when the list has none of this index: "out of range" must not
// read as valid.
func (l List) At(index int64) (Status, error) {
	if index < 0 || index >= l.Len() {
		return 0, fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	per := int64(8 / l.bits)
	shift := uint(index%per) * uint(l.bits)
	return Status(l.data[index/per] >> shift & byte(1<<l.bits-1)), nil
}

// Encode compresses the list to the form of "lst" in JSON: Compress, then base64url.
func (l List) Encode() (string, error) {
	b, err := l.Compress()
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Compress compresses the list to the form of "lst" in CBOR: zlib (RFC 1950). The bytes depend on the compressor; two of one
// list are compared after inflating.
func (l List) Compress() ([]byte, error) {
	if l.bits == 0 {
		return nil, fmt.Errorf("%w: no list", ErrBits)
	}
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(l.data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

var strict = base64.RawURLEncoding.Strict()

// Decode inflates "lst" of JSON; see Inflate.
func Decode(bits int, lst string) (List, error) {
	if strings.ContainsAny(lst, "\r\n") { // Go's decoder would skip them
		return List{}, fmt.Errorf("%w: line break", ErrMalformed)
	}
	raw, err := strict.DecodeString(lst)
	if err != nil {
		return List{}, fmt.Errorf("%w: lst isn't base64url", ErrMalformed)
	}
	return Inflate(bits, raw)
}

// Inflate inflates "lst" of CBOR. It stops at MaxBytes, checks the checksum, and refuses bytes after the end.
func Inflate(bits int, raw []byte) (List, error) {
	if bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return List{}, fmt.Errorf("%w: %d per entry", ErrBits, bits)
	}
	in := bytes.NewReader(raw)
	z, err := zlib.NewReader(in)
	if err != nil {
		return List{}, fmt.Errorf("%w: lst isn't zlib", ErrMalformed)
	}
	var data bytes.Buffer
	n, err := io.Copy(&data, io.LimitReader(z, MaxBytes+1))
	switch {
	case n > MaxBytes: // first, because an endless stream has no end to check
		return List{}, fmt.Errorf("%w: inflates to more than %d bytes", ErrTooLarge, MaxBytes)
	case err != nil:
		return List{}, fmt.Errorf("%w: lst doesn't inflate", ErrMalformed)
	case n == 0:
		return List{}, fmt.Errorf("%w: empty list", ErrMalformed)
	case in.Len() > 0:
		return List{}, fmt.Errorf("%w: bytes after the end of lst", ErrMalformed)
	}
	return List{bits: bits, data: bytes.Clone(data.Bytes())}, nil
}
