package credential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
)

// Narrow limits what was granted to what a token request asks for by authorization_details (RFC 9396, section 6.1). A credential is found by its
// configuration and its locations; any other element must be one that was granted. ErrList, ErrDetail.
func Narrow(granted []json.RawMessage, asked string) ([]json.RawMessage, error) {
	list, err := List(asked)
	if err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for _, raw := range list {
		i := slices.IndexFunc(granted, func(g json.RawMessage) bool { return covers(g, raw) })
		if i < 0 {
			return nil, fmt.Errorf("%w: not granted", ErrDetail)
		}
		if !slices.ContainsFunc(out, func(o json.RawMessage) bool { return bytes.Equal(o, granted[i]) }) {
			out = append(out, granted[i])
		}
	}
	return out, nil
}

// covers says whether a granted element is the one that is asked for.
func covers(granted, asked json.RawMessage) bool {
	if !Is(granted) {
		var a, b any
		if strictjson.Decode(granted, &a) != nil || strictjson.Decode(asked, &b) != nil {
			return false
		}
		left, err1 := json.Marshal(a)
		right, err2 := json.Marshal(b)
		return err1 == nil && err2 == nil && bytes.Equal(left, right)
	}
	var g, d Detail
	if strictjson.Decode(granted, &g) != nil || strictjson.Decode(asked, &d) != nil || d.Type != Type || d.ConfigurationID != g.ConfigurationID {
		return false
	}
	// An element without locations was granted for all of the issuers.
	return len(g.Locations) == 0 || !slices.ContainsFunc(d.Locations, func(l string) bool { return !slices.Contains(g.Locations, l) })
}
