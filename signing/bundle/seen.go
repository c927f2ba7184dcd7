package bundle

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Seen is what an installation remembers of the newest bundle that it accepted.
type Seen struct {
	Version int64            `json:"version"`
	Digest  string           `json:"digest"`
	AsOf    time.Time        `json:"as_of"`
	Roles   map[string]int64 `json:"roles"`
}

// Seen is what to remember of c.
func (c *Contents) Seen() Seen {
	return Seen{Version: c.Version, Digest: c.Digest, AsOf: c.AsOf, Roles: maps.Clone(c.Roles)}
}

// Check refuses (ErrRollback) contents that are older than what was seen, in any role, that lack a role that was there,
// or that have the same version and say something else (R02). The zero Seen accepts everything.
func (s Seen) Check(c *Contents) error {
	switch {
	case c.Version < s.Version:
		return fmt.Errorf("%w: version %d of %s, seen was %d of %s", ErrRollback, c.Version, c.AsOf.Format(time.RFC3339), s.Version, s.AsOf.Format(time.RFC3339))
	case c.Version == s.Version && c.Digest != s.Digest:
		return fmt.Errorf("%w: version %d with other contents", ErrRollback, c.Version)
	}
	for _, role := range slices.Sorted(maps.Keys(s.Roles)) {
		if c.Roles[role] < s.Roles[role] {
			return fmt.Errorf("%w: role %s has version %d, seen was %d", ErrRollback, role, c.Roles[role], s.Roles[role])
		}
	}
	return nil
}
