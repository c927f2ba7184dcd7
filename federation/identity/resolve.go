package identity

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
)

// provenFrom is the level from which an asserted document number stands for a real person (docs/trust.md 7).
const provenFrom = upstream.Level3

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Sealer == nil || len(cfg.IndexKey) != 32 {
		return nil, errors.New("identity: store, sealer and an index key of 32 bytes are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return &Service{cfg: cfg}, nil
}

// Resolve finds or makes the person of a checked assertion, brings claims, level and ledger up to date and reports a
// document conflict, all in the transaction of ctx or in one of its own. Run again with the same input it changes nothing but
// the ledger's last time. Errors: ErrAssertion, ErrDisabled, or the store's.
func (s *Service) Resolve(ctx context.Context, a upstream.Assertion, ceiling upstream.Level) (Resolved, error) {
	if len(a.Province) != 6 || a.Subject == "" || a.AuthTime.IsZero() || ceiling < upstream.Level1 {
		return Resolved{}, ErrAssertion
	}
	var r Resolved
	err := s.cfg.Store.InTx(ctx, func(ctx context.Context) (err error) {
		r = Resolved{Level: a.Level.Under(ceiling)}
		link, created, err := s.link(ctx, a, r.Level)
		if err != nil {
			return err
		}
		r.PersonID, r.Created = link.PersonID, created
		if r.Conflict, err = s.settleDocument(ctx, link, r.Level); err != nil {
			return err
		}
		now := s.cfg.Now()
		return s.cfg.Store.PutAssurance(ctx, Assurance{PersonID: link.PersonID, Province: a.Province, ACR: a.ACR, Asserted: a.Level,
			Level: r.Level, AMR: slices.Sorted(slices.Values(a.AMR)), Digest: link.Digest, FirstAt: now, LastAt: now})
	})
	if err != nil {
		return Resolved{}, err
	}
	return r, nil
}

// link finds the link of the assertion or makes it, and brings what it says up to date.
func (s *Service) link(ctx context.Context, a upstream.Assertion, level upstream.Level) (l Link, created bool, err error) {
	subject := s.index("subject", a.Province, a.Subject)
	l, disabled, err := s.cfg.Store.Link(ctx, a.Province, subject)
	if errors.Is(err, ErrNotFound) {
		l, err = s.create(ctx, a, subject, level)
		if !errors.Is(err, ErrLinkTaken) {
			return l, err == nil, err
		}
		// Another login of the same account was faster.
		l, disabled, err = s.cfg.Store.Link(ctx, a.Province, subject)
	}
	if err != nil {
		return l, false, err
	}
	if disabled {
		return l, false, ErrDisabled
	}
	return l, false, s.update(ctx, &l, a, level)
}

func (s *Service) create(ctx context.Context, a upstream.Assertion, subject string, level upstream.Level) (Link, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.cfg.Random, id); err != nil {
		return Link{}, fmt.Errorf("identity: %w", err)
	}
	now := s.cfg.Now()
	l := Link{Province: a.Province, Subject: subject, PersonID: "p-" + base64.RawURLEncoding.EncodeToString(id), CreatedAt: now}
	if err := s.fill(&l, a, level, now); err != nil {
		return Link{}, err
	}
	if err := s.cfg.Store.PutPerson(ctx, l); err != nil {
		return Link{}, err
	}
	return l, s.cfg.Store.Audit(ctx, audit.Event{Kind: "identity.person_created", Actor: l.PersonID, Subject: l.PersonID,
		Detail: map[string]string{"province": a.Province, "level": level.String()}})
}

// update writes only when the province says something new: most logins repeat the last one.
func (s *Service) update(ctx context.Context, l *Link, a upstream.Assertion, level upstream.Level) error {
	digest, err := s.digest(a)
	if err != nil || digest == l.Digest && a.ACR == l.ACR && level == l.Level {
		return err
	}
	before := *l
	if err := s.fill(l, a, level, s.cfg.Now()); err != nil {
		return err
	}
	if err := s.cfg.Store.SetLink(ctx, *l); err != nil {
		return err
	}
	if before.Document != "" && before.Document != l.Document {
		if err := s.cfg.Store.ReleaseDocument(ctx, before.Document, l.PersonID); err != nil {
			return err
		}
	}
	return s.cfg.Store.Audit(ctx, audit.Event{Kind: "identity.claims_changed", Actor: l.PersonID, Subject: l.PersonID,
		Detail: map[string]string{"province": a.Province, "level": cmp.Or(level.String(), "none")}})
}

// fill seals the assertion into the link.
func (s *Service) fill(l *Link, a upstream.Assertion, level upstream.Level, now time.Time) (err error) {
	if l.Claims, err = s.cfg.Sealer.Seal(sealPurpose(l.PersonID), a.Claims); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if l.Digest, err = s.digest(a); err != nil {
		return err
	}
	l.Document = ""
	if a.Claims.ResidentID != "" {
		l.Document = s.index("document", "111", a.Claims.ResidentID)
	}
	l.ACR, l.Level, l.UpdatedAt = a.ACR, level, now
	return nil
}

// settleDocument decides whose the asserted number is. It belongs to whoever asserted it first, except that an assertion that
// proves a real person takes it from one that doesn't. Whoever else asserts it is in conflict, which is reported once.
func (s *Service) settleDocument(ctx context.Context, l Link, level upstream.Level) (conflict bool, err error) {
	if l.Document == "" {
		return false, nil
	}
	now := s.cfg.Now()
	me := Owner{PersonID: l.PersonID, Province: l.Province, Level: level}
	owner, err := s.cfg.Store.DocumentOwner(ctx, l.Document)
	if errors.Is(err, ErrNotFound) {
		owner, err = s.cfg.Store.ClaimDocument(ctx, l.Document, me, now)
	}
	if err != nil {
		return false, err
	}
	if owner.PersonID == me.PersonID && owner.Level >= level {
		return false, nil
	}
	won := false
	if level >= provenFrom || owner.PersonID == me.PersonID {
		if won, err = s.cfg.Store.RaiseDocument(ctx, l.Document, me, provenFrom, now); err != nil {
			return false, err
		}
	}
	if owner.PersonID == me.PersonID {
		return false, nil
	}
	reported, err := s.cfg.Store.PutConflict(ctx, Conflict{Document: l.Document, PersonID: l.PersonID, Province: l.Province,
		OtherPersonID: owner.PersonID, OtherProvince: owner.Province, At: now})
	if err != nil || !reported {
		return !won, err
	}
	return !won, s.cfg.Store.Audit(ctx, audit.Event{Kind: "identity.document_conflict", Actor: l.PersonID, Subject: owner.PersonID,
		Detail: map[string]string{"province": l.Province, "other_province": owner.Province, "level": level.String()}})
}

// index is a keyed hash for looking something up without storing it: without the key the 10^11 possible id numbers could be
// tried in minutes.
func (s *Service) index(kind string, parts ...string) string {
	h := hmac.New(sha256.New, s.cfg.IndexKey)
	for _, p := range append([]string{kind}, parts...) {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s *Service) digest(a upstream.Assertion) (string, error) {
	b, err := json.Marshal(a.Claims)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return s.index("claims", string(b)), nil
}

func sealPurpose(personID string) string { return "identity.claims/" + personID }

// Person returns a person, or ErrUnknownPerson, or ErrDisabled.
func (s *Service) Person(ctx context.Context, id string) (Person, error) {
	l, owner, disabled, err := s.cfg.Store.LinkOf(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Person{}, ErrUnknownPerson
	case err != nil:
		return Person{}, err
	case disabled:
		return Person{}, ErrDisabled
	}
	p := Person{ID: id, Province: l.Province, Level: l.Level, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt}
	if err := s.cfg.Sealer.Open(sealPurpose(id), l.Claims, &p.Claims); err != nil {
		return Person{}, fmt.Errorf("identity: claims of %s: %w", id, err)
	}
	switch {
	case l.Document == "":
	case owner.PersonID != id:
		p.Document = DocumentConflict
	case owner.Level >= provenFrom:
		p.Document = DocumentProven
	default:
		p.Document = DocumentAsserted
	}
	return p, nil
}

// SetDisabled closes or reopens a person: Resolve and Person answer ErrDisabled from then on. Sessions and tokens are ended by
// those who keep them.
func (s *Service) SetDisabled(ctx context.Context, id string, disabled bool) error {
	return s.cfg.Store.InTx(ctx, func(ctx context.Context) error {
		err := s.cfg.Store.SetDisabled(ctx, id, disabled, s.cfg.Now())
		if errors.Is(err, ErrNotFound) {
			return ErrUnknownPerson
		}
		if err != nil {
			return err
		}
		kind := audit.Kind("identity.person_enabled")
		if disabled {
			kind = "identity.person_disabled"
		}
		return s.cfg.Store.Audit(ctx, audit.Event{Kind: kind, Actor: "system", Subject: id})
	})
}

// Assurances returns the ledger of a person, oldest first.
func (s *Service) Assurances(ctx context.Context, id string) ([]Assurance, error) {
	return s.cfg.Store.Assurances(ctx, id)
}

// Conflicts lists the clashes over document numbers, oldest first.
func (s *Service) Conflicts(ctx context.Context) ([]Conflict, error) {
	return s.cfg.Store.Conflicts(ctx)
}
