// Package linkable looks for what makes the copies of one credential recognisable as such: two verifiers, or a verifier and the issuer, who compare
// what they were shown must not find out that it was the same holder (OpenID4VCI 1.0, section 13.7; RFC 9901, section 10.1).
//
// It sees copies as they were issued, with every disclosure, and judges the things that the issuer chose for each copy: key, salts, digests, times, status index,
// labels. What the licence says is shared by all copies by its nature; of that it only lists what every verifier sees. What all of an issuer's
// credentials share (type, issuer, certificates) links nothing.
//
// Two copies by pure chance look alike now and then. An item is Linkable when chance would do it less than once in a million batches, and Suspicious
// when less than once in a thousand: then look at another batch.
//
// The package is pure, and safe for concurrent use.
package linkable

import (
	"errors"
	"fmt"
	"slices"
)

// Verdict is what is said of one item, and of all.
type Verdict string

// Verdicts, the worst last.
const (
	Clean      Verdict = "clean"
	Suspicious Verdict = "suspicious"
	Linkable   Verdict = "linkable"
)

// worse returns the worse of two.
func worse(a, b Verdict) Verdict {
	order := []Verdict{Clean, Suspicious, Linkable}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// Item is one thing that was looked at.
type Item struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Said is what was found, in words.
	Said string `json:"said"`
}

// Report is what is to be said of the copies of one batch.
type Report struct {
	Verdict Verdict `json:"verdict"`
	Format  string  `json:"format"`
	Copies  int     `json:"copies"`
	Items   []Item  `json:"items"`
}

// Errors of Compare.
var (
	// ErrFew says that one copy alone can't be compared.
	ErrFew = errors.New("linkable: at least two copies are needed")
	// ErrMixed says that the copies are not of one credential: of different formats, types or issuers.
	ErrMixed = errors.New("linkable: these are not copies of one credential")
	// ErrMalformed says that a copy can't be read.
	ErrMalformed = errors.New("linkable: not a credential as issued")
)

// chance below which a likeness is Linkable, or Suspicious.
const (
	million  = 1e-6
	thousand = 1e-3
)

// judge turns the chance of seeing something by accident into a verdict.
func judge(p float64) Verdict {
	switch {
	case p < million:
		return Linkable
	case p < thousand:
		return Suspicious
	}
	return Clean
}

// Compare judges the copies of one batch, in the order in which the issuer gave them. A copy is an SD-JWT as text, or an mdoc's IssuerSigned as base64url
// text or bytes. Errors: ErrFew, ErrMixed, ErrMalformed.
func Compare(copies ...[]byte) (Report, error) {
	if len(copies) < 2 {
		return Report{}, ErrFew
	}
	all := make([]traits, len(copies))
	for i, c := range copies {
		var err error
		if all[i], err = read(c); err != nil {
			return Report{}, fmt.Errorf("copy %d: %w", i+1, err)
		}
		if all[i].format != all[0].format || all[i].kind != all[0].kind {
			return Report{}, fmt.Errorf("%w: copy %d is %s, copy 1 is %s", ErrMixed, i+1, all[i].kind, all[0].kind)
		}
	}
	r := Report{Verdict: Clean, Format: all[0].format, Copies: len(copies)}
	for _, look := range looks {
		items := look(all)
		for _, item := range items {
			r.Verdict = worse(r.Verdict, item.Verdict)
		}
		r.Items = append(r.Items, items...)
	}
	return r, nil
}

// traits are what the issuer chose for one copy, and what it says.
type traits struct {
	format string
	kind   string // type and issuer
	// header are members of the signature's header that not all of an issuer's credentials share.
	header map[string]string
	// key is the holder's; labels are members beside the key itself.
	key    string
	labels map[string]string
	times  map[string]int64 // Unix seconds; -1 for one with fractions
	// start is when the issuer's certificate begins. It is in every credential of that key, so times may be counted from it.
	start  int64
	status *statusRef
	// digests and salts of everything that can be withheld.
	digests []string
	salts   [][]byte
	// places are the names of what can be withheld, in the order of their digests.
	places []string
	// shown are claims that every verifier sees; all are all of them.
	shown, all map[string]string
	// sign is the part of the signature that must never repeat.
	sign string
	size int64
}

type statusRef struct {
	uri   string
	index int64
}

// looks are all there is to look at, in the order of the report.
var looks = []func([]traits) []Item{lookKeys, lookLabels, lookHeader, lookSalts, lookDigests, lookPlaces, lookTimes, lookStatus, lookSignature, lookSizes, lookShown, lookData}
