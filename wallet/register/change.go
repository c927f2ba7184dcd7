package register

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// maxReason is the most characters of a reason.
const maxReason = 500

// clockSkew is how far in our future a department's "now" may lie.
const clockSkew = 5 * time.Minute

// Change does a legal act: the record's state, the journal, the status list entries and the audit event move in one transaction or not at
// all. It returns ErrNotFound for another authority's licence, ErrTransition when the state doesn't allow the act, and ErrStale
// when somebody else changed the state at the same time.
func (s *Service) Change(ctx context.Context, d Department, id string, req StatusRequest) (Licence, Change, error) {
	op, effective, err := s.checkRequest(req)
	if err != nil {
		return Licence{}, Change{}, err
	}
	var l Licence
	var c Change
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		l, err = s.GetOwn(ctx, d.Code, id)
		if err != nil {
			return err
		}
		if !op.Allows(l.Status) || op.To == StatusValid && l.Successor != "" { // what another licence follows doesn't come back
			return &TransitionError{Operation: op, Status: l.Status, Successor: l.Successor != ""}
		}
		if effective.Before(l.ValidFrom.Start()) {
			return fmt.Errorf("%w: effective_at is before the licence's validity (%s)", ErrInvalid, l.ValidFrom)
		}
		c = Change{LicenceID: id, Seq: l.Seq + 1, Operation: op.Name, From: l.Status, To: op.To, Reason: req.Reason,
			EffectiveAt: effective, RecordedAt: s.cfg.Now(), Actor: d.ClientID}
		return s.apply(ctx, d, c)
	})
	if err != nil {
		return Licence{}, Change{}, err
	}
	l.Status, l.Reason, l.StatusSince, l.Seq, l.UpdatedAt = c.To, c.Reason, c.EffectiveAt, c.Seq, c.RecordedAt
	return l, c, nil
}

func (s *Service) apply(ctx context.Context, d Department, c Change) error {
	var err error
	if c.Reason, err = s.cfg.Sealer.Seal(reasonPurpose(c.LicenceID), c.Reason); err != nil {
		return fmt.Errorf("register: sealing reason: %w", err)
	}
	if err := s.cfg.Store.SetStatus(ctx, c); err != nil {
		return err
	}
	if err := s.cfg.Status.SetForLicence(ctx, c.LicenceID, c.To.Info().Token); err != nil {
		return fmt.Errorf("register: status lists: %w", err)
	}
	return s.cfg.Audit(ctx, audit.Event{Kind: "register.status_changed", Actor: d.Code, Subject: c.LicenceID, Client: d.ClientID,
		Detail: map[string]string{"operation": c.Operation, "from": string(c.From), "to": string(c.To)}})
}

func (s *Service) checkRequest(req StatusRequest) (Operation, time.Time, error) {
	op, ok := OperationByName(req.Operation)
	if !ok {
		return Operation{}, time.Time{}, fmt.Errorf("%w: operation must be one of %s", ErrInvalid, names(Operations))
	}
	at, err := s.checkAct(req.Reason, req.EffectiveAt)
	return op, at, err
}

// TransitionError is ErrTransition with what was tried.
type TransitionError struct {
	Operation Operation
	Status    LegalStatus
	// Successor: another licence follows this one already.
	Successor bool
}

func (e *TransitionError) Error() string {
	if e.Successor {
		return fmt.Sprintf("another licence follows this one already; %s is not possible any more", e.Operation.Name)
	}
	var from []string
	for _, s := range e.Operation.From {
		from = append(from, s.Info().Name)
	}
	return fmt.Sprintf("the licence is %s (%s); %s is possible only for a licence that is %s",
		e.Status.Info().Name, e.Status.Info().ZH, e.Operation.Name, strings.Join(from, ", "))
}

// Is makes errors.Is(err, ErrTransition) true.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }

func names(acts []Operation) string {
	var out []string
	for _, o := range acts {
		out = append(out, o.Name)
	}
	return strings.Join(out, ", ")
}

func (s *Service) typeIDs() string {
	var ids []string
	for _, t := range s.newest {
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, ", ")
}

func fieldNames(a, b map[string]any) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
