package linkable

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func item(name string, v Verdict, format string, args ...any) []Item {
	return []Item{{name, v, fmt.Sprintf(format, args...)}}
}

// repeated returns a value that stands more than once, and at which copies.
func repeated[T comparable](values []T) (at []int) {
	first := map[T]int{}
	for i, v := range values {
		if j, ok := first[v]; ok {
			return []int{j + 1, i + 1}
		}
		first[v] = i
	}
	return nil
}

func column[T any](all []traits, of func(traits) T) []T {
	out := make([]T, len(all))
	for i, t := range all {
		out[i] = of(t)
	}
	return out
}

func lookKeys(all []traits) []Item {
	if at := repeated(column(all, func(t traits) string { return t.key })); at != nil {
		return item("holder_key", Linkable, "copies %d and %d are bound to one key", at[0], at[1])
	}
	return item("holder_key", Clean, "each copy has a key of its own")
}

// members compares named values of which there should be none: labels of a key, members of a header.
func members(name string, all []traits, of func(traits) map[string]string, none string) (out []Item) {
	for _, member := range keysOf(all, of) {
		values := column(all, func(t traits) string { return of(t)[member] })
		switch at := repeated(values); {
		case at != nil:
			out = append(out, item(name, Linkable, "%s is the same in copies %d and %d", member, at[0], at[1])...)
		default:
			out = append(out, item(name, Suspicious, "%s differs in each copy; nobody needs it, and the issuer may know it again", member)...)
		}
	}
	if out == nil {
		return item(name, Clean, "%s", none)
	}
	return out
}

func keysOf(all []traits, of func(traits) map[string]string) []string {
	names := map[string]bool{}
	for _, t := range all {
		for n := range of(t) {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func lookLabels(all []traits) []Item {
	return members("key_label", all, func(t traits) map[string]string { return t.labels }, "the keys carry no labels")
}

func lookHeader(all []traits) []Item {
	return members("header", all, func(t traits) map[string]string { return t.header }, "the header has only what all credentials of the issuer have")
}

// Two random salts share this many first bytes once in 2^48 pairs: a counter, a clock or a process id is at work.
const saltPrefix = 6

const saltMin = 16 // RFC 9901 section 9.3; ISO 18013-5 section 9.1.2.5

func lookSalts(all []traits) []Item {
	seen := map[string]int{}
	for i, t := range all {
		for _, s := range t.salts {
			if len(s) < saltMin {
				return item("salts", Linkable, "copy %d has a salt of %d bytes; one can be guessed below %d", i+1, len(s), saltMin)
			}
			prefix := string(s[:saltPrefix])
			if j, ok := seen[prefix]; ok {
				return item("salts", Linkable, "copies %d and %d have salts that begin alike", j+1, i+1)
			}
			seen[prefix] = i
		}
	}
	return item("salts", Clean, "%d salts of 16 bytes or more, none alike", len(seen))
}

func lookDigests(all []traits) []Item {
	seen := map[string]int{}
	for i, t := range all {
		if len(t.digests) != len(all[0].digests) {
			return item("digests", Linkable, "copy %d has %d digests, copy 1 has %d", i+1, len(t.digests), len(all[0].digests))
		}
		for _, d := range t.digests {
			if j, ok := seen[d]; ok {
				return item("digests", Linkable, "copies %d and %d share a digest", j+1, i+1)
			}
			seen[d] = i
		}
	}
	return item("digests", Clean, "%d in each copy, all different", len(all[0].digests))
}

// lookPlaces asks whether the place of a digest tells which claim it hides. It does when the order is the same in every copy.
func lookPlaces(all []traits) []Item {
	n := len(all[0].places)
	if n < 2 {
		return item("digest_order", Clean, "nothing to order")
	}
	same := 0
	for _, t := range all[1:] {
		if slices.Equal(t.places, all[0].places) {
			same++
		}
	}
	// Each pair agrees by chance once in n!.
	chance := 1.0
	for range same {
		chance *= float64(len(all)-1) / factorial(n)
	}
	if same > 0 && judge(chance) != Clean {
		return item("digest_order", judge(chance), "the digests of %d of %d copies stand in one order: their places tell what is hidden", same+1, len(all))
	}
	return item("digest_order", Clean, "the order of the digests differs")
}

const hour = 3600

// lookTimes wants times that many credentials share: whole hours, of the clock or since the issuer's certificate began. A precise time names the batch; precise times that differ number its copies.
func lookTimes(all []traits) (out []Item) {
	names := map[string]bool{}
	for _, t := range all {
		for n := range t.times {
			names[n] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		values := column(all, func(t traits) int64 { return t.times[name] })
		precise := slices.IndexFunc(all, func(t traits) bool {
			return t.times[name]%hour != 0 && (t.start == 0 || (t.times[name]-t.start)%hour != 0)
		})
		switch {
		case precise >= 0:
			out = append(out, item("time_"+name, Linkable, "copy %d says it to the second; whole hours are shared by many", precise+1)...)
		case judge(order(values)) != Clean:
			out = append(out, item("time_"+name, judge(order(values)), "the times stand in the order of the batch")...)
		default:
			out = append(out, item("time_"+name, Clean, "whole hours")...)
		}
	}
	return out
}

// pool is the smallest list that a status may stand in (Token Status List, section 13.2: herd privacy).
const pool = 1 << 17

func lookStatus(all []traits) []Item {
	byList := map[string][]int64{}
	refs := map[statusRef]int{}
	for i, t := range all {
		if t.status == nil {
			continue
		}
		if j, ok := refs[*t.status]; ok {
			return item("status", Linkable, "copies %d and %d have one index", j+1, i+1)
		}
		refs[*t.status] = i
		byList[t.status.uri] = append(byList[t.status.uri], t.status.index)
	}
	if len(refs) == 0 {
		return item("status", Clean, "no status")
	}
	verdict, said := Clean, ""
	for _, uri := range slices.Sorted(maps.Keys(byList)) {
		indices := byList[uri]
		if v := judge(order(indices)); v != Clean {
			verdict, said = worse(verdict, v), "the indices rise or fall in the order of the batch"
		}
		if v := judge(near(indices, pool)); v != Clean {
			verdict, said = worse(verdict, v), "indices lie next to each other"
		}
	}
	if verdict != Clean {
		return item("status", verdict, "%s", said)
	}
	return item("status", Clean, "%d indices, scattered over %d lists; a list is shared with many others", len(refs), len(byList))
}

func lookSignature(all []traits) []Item {
	if at := repeated(column(all, func(t traits) string { return t.sign })); at != nil {
		return item("signature", Linkable, "copies %d and %d are signed with one random number: the issuer's key can be computed from them", at[0], at[1])
	}
	return item("signature", Clean, "each signature has a random number of its own")
}

// lookSizes only asks whether sizes number the copies; that copies of one credential are of nearly one size can't be helped.
func lookSizes(all []traits) []Item {
	sizes := column(all, func(t traits) int64 { return t.size })
	if v := judge(order(sizes)); v != Clean {
		return item("size", v, "the copies grow or shrink in the order of the batch")
	}
	return item("size", Clean, "%d to %d bytes without disclosures", slices.Min(sizes), slices.Max(sizes))
}

// lookShown lists what every verifier sees of the licence itself. An identifier there undoes everything else.
func lookShown(all []traits) []Item {
	for _, name := range slices.Sorted(maps.Keys(all[0].shown)) {
		if identifies(name, all[0].shown[name]) {
			return item("always_shown", Linkable, "%s can't be withheld and is like a number of the holder", name)
		}
	}
	if len(all[0].shown) == 0 {
		return item("always_shown", Clean, "nothing of the licence")
	}
	return item("always_shown", Clean, "every verifier sees %s: of no use for linking as long as many licences say the same", strings.Join(slices.Sorted(maps.Keys(all[0].shown)), ", "))
}

// identifies says whether a claim is an identifier: by its name, or because it is a long word that no two persons share.
func identifies(name, value string) bool {
	switch name {
	case "jti", "sub", "document_number", "administrative_number", "personal_administrative_number", "id_number", "licence_id", "licence_number":
		return true
	}
	text := strings.Trim(value, `"`)
	return len(text) >= 12 && strings.ContainsAny(text, "0123456789") && !strings.ContainsAny(text, " :/[{,")
}

// lookData wants every copy to say the same (OpenID4VCI 1.0, section 3.3.2).
func lookData(all []traits) []Item {
	for i, t := range all {
		for _, name := range keysOf(all, func(t traits) map[string]string { return t.all }) {
			if t.all[name] != all[0].all[name] {
				return item("data", Linkable, "copies 1 and %d say different things of %s", i+1, name)
			}
		}
	}
	return item("data", Clean, "every copy says the same")
}
