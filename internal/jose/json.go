package jose

import "github.com/hufu-id/hufu/internal/strictjson"

// MaxDepth is the deepest nesting of JSON that DecodeStrict accepts.
const MaxDepth = strictjson.MaxDepth

// DecodeStrict decodes exactly one JSON value into v and refuses what parsers disagree about; see strictjson.Decode. Errors: ErrMalformed, ErrTooLarge,
// ErrDuplicateMember. The caller limits the size of b.
func DecodeStrict(b []byte, v any) error { return strictjson.Decode(b, v) }
