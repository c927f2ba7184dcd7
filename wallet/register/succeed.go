package register

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/wallet/register/legal"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// SuccessionRequest asks for a new licence that follows an old one.
type SuccessionRequest struct {
	// Operation is the name of one of Successions.
	Operation   string    `json:"operation"`
	Reason      string    `json:"reason"`
	EffectiveAt time.Time `json:"effective_at,omitzero"`
	// Record is the new licence, whole. It may keep the number of the old record.
	Record ImportRecord `json:"record"`
}

// RecordError is a new record that can't be registered, fault by fault. It is ErrInvalid.
type RecordError struct{ Errors []FieldError }

func (e *RecordError) Error() string {
	var texts []string
	for _, f := range e.Errors {
		texts = append(texts, strings.TrimSpace(f.Field+" "+f.Message))
	}
	return "the record: " + strings.Join(texts, "; ")
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *RecordError) Is(target error) bool { return target == ErrInvalid }

// Succeed renews or changes a licence, or takes in one that another authority let go: the old one's state and journal, its status list entries, the
// new licence with its first row of the journal, and the audit event, in one transaction or not at all. The new licence has the identifier
// of the old one with the next version (and the new authority). A licence has one successor: of two callers one gets ErrStale.
//
// Another authority's licence is ErrNotFound unless it is transferred out, of the record's type and to the record's holder.
func (s *Service) Succeed(ctx context.Context, d Department, id string, req SuccessionRequest) (Licence, error) {
	op, ok := legal.Find(Successions, req.Operation)
	if !ok {
		return Licence{}, fmt.Errorf("%w: operation must be one of %s", ErrInvalid, names(Successions))
	}
	effective, err := s.checkAct(req.Reason, req.EffectiveAt)
	if err != nil {
		return Licence{}, err
	}
	t, next, line, err := s.check(ctx, d, ImportItem{Line: 1, Record: req.Record})
	if err != nil {
		return next, err
	}
	if line.Result == ResultRefused {
		return next, &RecordError{line.Errors}
	}
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		old, err := s.predecessor(ctx, d, id, op, next)
		if err != nil {
			return err
		}
		if effective.Before(old.ValidFrom.Start()) {
			return fmt.Errorf("%w: effective_at is before the old licence's validity (%s)", ErrInvalid, old.ValidFrom)
		}
		return s.follow(ctx, d, t, op, old, &next, req.Reason, effective)
	})
	return next, err
}

// predecessor reads the old licence and asks whether the act is lawful.
func (s *Service) predecessor(ctx context.Context, d Department, id string, op Operation, next Licence) (Licence, error) {
	old, err := s.Get(ctx, id)
	if err != nil {
		return old, err
	}
	own := old.Issuer == d.Code
	same := old.TypeID == next.TypeID && old.Holder.CodeType == next.Holder.CodeType && old.Holder.Code == next.Holder.Code
	switch {
	case own == op.OtherAuthority && own:
		return old, fmt.Errorf("%w: %s is for a licence of another authority; undo the transfer out instead", ErrInvalid, op.Name)
	case !own && (!op.OtherAuthority || !same || !op.Allows(old.Status)):
		return old, ErrNotFound // that it exists is that authority's secret
	case old.Successor != "" || !op.Allows(old.Status):
		return old, &TransitionError{Operation: op, Status: old.Status, Successor: old.Successor != ""}
	case old.TypeID != next.TypeID:
		return old, fmt.Errorf("%w: record.type must be %s, that of the old licence", ErrInvalid, old.TypeID)
	case op.SameHolder && !same:
		return old, fmt.Errorf("%w: record.holder must be the old licence's holder", ErrInvalid)
	}
	return old, nil
}

// follow writes the new licence behind the old one.
func (s *Service) follow(ctx context.Context, d Department, t LicenceType, op Operation, old Licence, next *Licence, reason string, effective time.Time) error {
	_, first, err := s.first(d, t, next)
	if err != nil {
		return err
	}
	if next.ID, err = nextVersion(old.ID, d.Code); err != nil {
		return err
	}
	next.Predecessor = old.ID
	r, err := s.seal(*next) // what is sealed is bound to its identifier
	if err != nil {
		return err
	}
	first.LicenceID, first.Operation = next.ID, op.Name
	if first.Reason, err = s.cfg.Sealer.Seal(reasonPurpose(next.ID), reason); err != nil {
		return fmt.Errorf("register: sealing reason: %w", err)
	}
	last := Change{LicenceID: old.ID, Seq: old.Seq + 1, Operation: op.Name, From: old.Status, To: op.To, EffectiveAt: effective, RecordedAt: s.cfg.Now(), Actor: d.ClientID}
	if last.Reason, err = s.cfg.Sealer.Seal(reasonPurpose(old.ID), reason); err != nil {
		return fmt.Errorf("register: sealing reason: %w", err)
	}
	if err := s.cfg.Store.Succeed(ctx, last, r, first); err != nil {
		return err
	}
	if err := s.cfg.Status.SetForLicence(ctx, old.ID, op.To.Info().Token); err != nil {
		return fmt.Errorf("register: status lists: %w", err)
	}
	return s.cfg.Audit(ctx, audit.Event{Kind: "register.licence_succeeded", Actor: d.Code, Subject: next.ID, Client: d.ClientID,
		Detail: map[string]string{"operation": op.Name, "predecessor": old.ID}})
}

// nextVersion is the identifier of what follows a licence: the next version of it, by the authority that grants it. GB/T 36904.
func nextVersion(id, issuer string) (string, error) {
	p, err := gb.ParseLicenceID(id)
	if err != nil {
		return "", fmt.Errorf("register: the old licence's identifier: %w", err)
	}
	if p.VersionNumber() >= 999 {
		return "", fmt.Errorf("%w: the licence has had 999 versions, as many as an identifier can count", ErrInvalid)
	}
	next, err := gb.NewLicenceID(p.TypeCode, issuer, p.Serial, p.VersionNumber()+1)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	return next.String(), nil
}

// maxChain is the most licences of a chain that are shown.
const maxChain = 50

// Chain returns the identifiers of the licences before and after one, oldest first, as far as they can be told: those of other authorities too, for
// they stand in this licence's own journal.
func (s *Service) Chain(ctx context.Context, l Licence) ([]string, error) {
	chain := []string{l.ID}
	for id := l.Predecessor; id != "" && len(chain) < maxChain; {
		r, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		chain = append([]string{id}, chain...)
		id = r.Predecessor
	}
	for id := l.Successor; id != "" && len(chain) < maxChain; {
		r, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		chain = append(chain, id)
		id = r.Successor
	}
	return chain, nil
}

// checkAct checks what every legal act must have, and returns when it takes effect.
func (s *Service) checkAct(reason string, effective time.Time) (time.Time, error) {
	var f licencetype.Faults
	if !f.Text("reason", reason, true, maxReason) {
		return time.Time{}, fmt.Errorf("%w: reason %s", ErrInvalid, f[0].Message)
	}
	now := s.cfg.Now()
	if effective.IsZero() {
		return now, nil
	}
	if effective.After(now.Add(clockSkew)) {
		return time.Time{}, fmt.Errorf("%w: effective_at is in the future; send the act on the day it takes effect", ErrInvalid)
	}
	return effective.UTC().Truncate(time.Microsecond), nil
}
