package sdjwt

import "fmt"

// processor puts disclosed claims into their places (RFC 9901 section 7.1 step 3).
type processor struct {
	alg    hashAlg
	vc     bool
	byHash map[string]*disclosure
	seen   map[string]struct{} // every digest met so far
	hidden int
}

// process replaces the digests in p.claims by the disclosures and refuses what doesn't add up.
func (p *Parsed) process() error {
	alg, err := hashOf(p.claims)
	if err != nil {
		return err
	}
	p.alg = alg
	delete(p.claims, memberHashAlg)
	w := processor{
		alg:    alg,
		vc:     p.issuer.Header.Typ == Typ,
		byHash: make(map[string]*disclosure, len(p.disclosures)),
		seen:   make(map[string]struct{}, 2*len(p.disclosures)),
	}
	for i := range p.disclosures {
		digest := alg.digest(p.disclosures[i].text)
		if _, twice := w.byHash[digest]; twice {
			return fmt.Errorf("%w: the same one twice", ErrDisclosure)
		}
		w.byHash[digest] = &p.disclosures[i]
	}
	if err := w.object(p.claims, nil, 1); err != nil {
		return err
	}
	for i := range p.disclosures {
		if p.disclosures[i].path == nil {
			return fmt.Errorf("%w: no digest refers to it", ErrDisclosure)
		}
	}
	p.hidden = w.hidden
	return nil
}

// find takes a digest from the payload and returns its disclosure, nil when there is none.
func (w *processor) find(v any, path Path) (*disclosure, error) {
	digest, ok := v.(string)
	if !ok || len(digest) != w.alg.length {
		return nil, fmt.Errorf("%w: a digest of another form", ErrMalformed)
	}
	if _, twice := w.seen[digest]; twice {
		return nil, ErrDuplicateDigest
	}
	w.seen[digest] = struct{}{}
	if w.vc && len(path) > 0 {
		if name, ok := path[0].(string); ok && neverSelective[name] {
			return nil, fmt.Errorf("%w: %s is selectively disclosable", ErrReserved, name)
		}
	}
	d := w.byHash[digest]
	if d == nil {
		w.hidden++
	}
	return d, nil
}

func (w *processor) value(v any, path Path, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return v, w.object(v, path, depth)
	case []any:
		return w.array(v, path, depth)
	}
	return v, nil
}

func (w *processor) object(v map[string]any, path Path, depth int) error {
	digests, selective := v[memberDigests]
	delete(v, memberDigests)
	for name, child := range v {
		if name == memberElement || name == memberHashAlg {
			return fmt.Errorf("%w: %s where it doesn't belong", ErrReserved, name)
		}
		switch child.(type) {
		case map[string]any, []any:
			processed, err := w.value(child, path.with(name), depth+1)
			if err != nil {
				return err
			}
			v[name] = processed
		}
	}
	if !selective {
		return nil
	}
	list, ok := digests.([]any)
	if !ok {
		return fmt.Errorf("%w: _sd isn't an array", ErrMalformed)
	}
	for _, digest := range list {
		if err := w.member(v, digest, path, depth); err != nil {
			return err
		}
	}
	return nil
}

// member inserts the disclosure of one digest of an object.
func (w *processor) member(v map[string]any, digest any, path Path, depth int) error {
	d, err := w.find(digest, path)
	if err != nil || d == nil {
		return err
	}
	if !d.member {
		return fmt.Errorf("%w: an array element's where a member's belongs", ErrDisclosure)
	}
	switch d.name {
	case memberDigests, memberElement, memberHashAlg:
		return fmt.Errorf("%w: a claim named %s", ErrDisclosure, d.name)
	}
	if w.vc && len(path) == 0 && neverSelective[d.name] {
		return fmt.Errorf("%w: %w: %s is selectively disclosable", ErrDisclosure, ErrReserved, d.name)
	}
	if _, taken := v[d.name]; taken {
		return fmt.Errorf("%w: the claim is there already", ErrDisclosure)
	}
	d.path = path.with(d.name)
	if d.value, err = w.value(d.value, d.path, depth+1); err != nil {
		return err
	}
	v[d.name] = d.value
	return nil
}

func (w *processor) array(v []any, path Path, depth int) ([]any, error) {
	out := v[:0]
	for _, element := range v {
		at := path.with(len(out))
		if placeholder, ok := element.(map[string]any); ok {
			if digest, ok := placeholder[memberElement]; ok {
				if len(placeholder) != 1 {
					return nil, fmt.Errorf("%w: more than a digest in an array element's place", ErrMalformed)
				}
				d, err := w.find(digest, path)
				if err != nil {
					return nil, err
				}
				if d == nil {
					continue // withheld, or a decoy: the element disappears
				}
				if d.member {
					return nil, fmt.Errorf("%w: a member's where an array element's belongs", ErrDisclosure)
				}
				d.path = at
				element = d.value
			}
		}
		processed, err := w.value(element, at, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, processed)
	}
	return out, nil
}
