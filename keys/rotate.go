package keys

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// renewBefore is how long before its certificate becomes too short for what it signs a key is replaced, also without a
// schedule.
const renewBefore = 30 * 24 * time.Hour

// RotateOptions say how Rotate does it.
type RotateOptions struct {
	Force bool   // use the new key now, although verifiers with a cached key set won't know it yet: for a stolen key
	Actor string // who asks, for the audit; "" means "system"
}

// Rotation says what Rotate did. Empty ids mean that nothing of the kind happened.
type Rotation struct {
	Created   string    // a new key, published from now on
	Activated string    // the key that signs from now on
	Retired   string    // the key that doesn't any more
	ReadyAt   time.Time // when the next key may be used; zero once it is
}

// Rotate takes the purpose one step further: without a next key it makes and publishes one; with one that is published
// long enough it makes that the active key. Before that it returns ErrTooEarly with ReadyAt. Force does both steps at
// once. When another node changed the purpose at the same moment: ErrConcurrent, and nothing was done by this call.
// Don't call it inside a transaction.
func (s *Service) Rotate(ctx context.Context, p Purpose, o RotateOptions) (Rotation, error) {
	rec, err := s.cfg.Store.Load(ctx, p)
	if errors.Is(err, ErrNotFound) {
		return Rotation{}, fmt.Errorf("%w: %s", ErrNoPurpose, p)
	}
	if err != nil {
		return Rotation{}, fmt.Errorf("keys: rotate %s: %w", p, err)
	}
	if rec.key(Active) == nil {
		return Rotation{}, fmt.Errorf("%w: %s", ErrNoActiveKey, p)
	}
	actor := o.Actor
	if actor == "" {
		actor = "system"
	}
	next := rec.key(Next)
	switch {
	case next == nil:
		return s.introduce(ctx, rec, actor, o.Force)
	case !o.Force && s.now().Before(next.CreatedAt.Add(rec.Spec.PublishAhead)):
		ready := next.CreatedAt.Add(rec.Spec.PublishAhead)
		return Rotation{ReadyAt: ready}, fmt.Errorf("%w: %s: ready at %s", ErrTooEarly, p, ready.Format(time.RFC3339))
	}
	return s.promote(ctx, rec, actor)
}

// introduce makes a new key: published as the next one, or used at once.
func (s *Service) introduce(ctx context.Context, rec Record, actor string, atOnce bool) (Rotation, error) {
	state := Next
	if atOnce {
		state = Active
	}
	key, err := s.newKey(ctx, rec.Purpose, rec.Spec, state)
	if err != nil {
		return Rotation{}, err
	}
	c := Change{Actor: actor, At: key.CreatedAt, Insert: key}
	r := Rotation{Created: key.ID, ReadyAt: key.CreatedAt.Add(rec.Spec.PublishAhead)}
	if atOnce {
		c.Retire, c.Expires = rec.key(Active).ID, c.At.Add(rec.Spec.Keep)
		r = Rotation{Created: key.ID, Activated: key.ID, Retired: c.Retire}
	}
	if err := s.apply(ctx, rec, c); err != nil {
		return Rotation{}, err
	}
	return r, nil
}

// promote makes the next key the active one and retires the old one, in one step.
func (s *Service) promote(ctx context.Context, rec Record, actor string) (Rotation, error) {
	now := s.now()
	c := Change{Actor: actor, At: now, Retire: rec.key(Active).ID, Expires: now.Add(rec.Spec.Keep), Activate: rec.key(Next).ID}
	if err := s.apply(ctx, rec, c); err != nil {
		return Rotation{}, err
	}
	return Rotation{Activated: c.Activate, Retired: c.Retire}, nil
}

// Tick does what is due by schedule, for all purposes: publishes next keys, promotes them, removes retired ones. Any
// number of nodes may call it at any time; once a minute is enough. A purpose that fails doesn't stop the others.
func (s *Service) Tick(ctx context.Context) error {
	all, err := s.cfg.Store.Purposes(ctx)
	if err != nil {
		return fmt.Errorf("keys: tick: %w", err)
	}
	var problems []error
	for _, p := range all {
		if err := s.tick(ctx, p); err != nil && !errors.Is(err, ErrConcurrent) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func (s *Service) tick(ctx context.Context, p Purpose) error {
	rec, err := s.cfg.Store.Load(ctx, p)
	if err != nil {
		return fmt.Errorf("keys: tick %s: %w", p, err)
	}
	now := s.now()
	c := Change{Actor: "system", At: now}
	for _, k := range rec.Keys {
		if k.State == Retired && !now.Before(k.ExpiresAt) {
			c.Remove = append(c.Remove, k.ID)
		}
	}
	if len(c.Remove) > 0 {
		return s.apply(ctx, rec, c) // the schedule gets its turn with the next tick
	}
	active, next := rec.key(Active), rec.key(Next)
	if active == nil {
		return nil // Ensure hasn't finished
	}
	due, scheduled := rec.Spec.due(*active)
	switch {
	case !scheduled:
	case next == nil && !now.Before(due.Add(-rec.Spec.PublishAhead)):
		_, err = s.introduce(ctx, rec, "system", false)
	case next != nil && !now.Before(due) && !now.Before(next.CreatedAt.Add(rec.Spec.PublishAhead)):
		_, err = s.promote(ctx, rec, "system")
	}
	return err
}

// due is when the active key is to be replaced: by schedule, and in any case while its certificate still outlives what
// it signs.
func (s Spec) due(active Key) (at time.Time, scheduled bool) {
	if s.RotateEvery > 0 {
		at, scheduled = active.ActivatedAt.Add(s.RotateEvery), true
	}
	if len(active.Chain) > 0 {
		if leaf, err := x509.ParseCertificate(active.Chain[0]); err == nil {
			if end := leaf.NotAfter.Add(-s.Keep - renewBefore); !scheduled || end.Before(at) {
				at, scheduled = end, true
			}
		}
	}
	return at, scheduled
}
