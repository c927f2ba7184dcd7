package eseal

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// keyMargin is how long a seal's certificate outlives the seal.
const keyMargin = 30 * 24 * time.Hour

// Visible returns a request that a person may decide or look at: of her organisation's seals. Another's is ErrNoRequest, as if it didn't exist.
func (s *Service) Visible(ctx context.Context, p Person, id string) (Request, error) {
	if !requestIDForm.MatchString(id) {
		return Request{}, ErrNoRequest
	}
	r, err := s.cfg.Store.Request(ctx, id)
	if err != nil {
		return Request{}, err
	}
	// Before it exists a seal is its maker's affair.
	if p.Organisation == "" || p.Organisation != r.Maker && (p.Organisation != r.Owner || r.Operation == OpIssue) {
		return Request{}, ErrNoRequest
	}
	return r, nil
}

// Requests are the open requests that an organisation can decide.
func (s *Service) Requests(ctx context.Context, p Person) ([]Request, error) {
	all, err := s.cfg.Store.Requests(ctx, p.Organisation, s.cfg.Now(), 200)
	if err != nil {
		return nil, err
	}
	var out []Request
	for _, r := range all {
		if r.Operation != OpIssue || r.Maker == p.Organisation {
			out = append(out, r)
		}
	}
	return out, nil
}

// decidable refuses what no decision can be made on. The conditional statement in the transaction is what counts; this says why.
func decidable(r Request, p Person, now time.Time) error {
	switch {
	case r.Decision != "" && r.Decision != "expired":
		return fmt.Errorf("%w: %s by %s at %s", ErrDecided, r.Decision, r.DecidedBy, r.DecidedAt.In(beijing).Format(time.DateTime))
	case r.Decision == "expired" || !now.Before(r.ExpiresAt):
		return ErrExpired
	case r.ProposedBy == p.ClientID:
		return ErrOwnProposal
	}
	return nil
}

// lost says why the conditional statement refused.
func (s *Service) lost(ctx context.Context, p Person, id string, err error) error {
	if !errors.Is(err, ErrDecided) {
		return err
	}
	r, rerr := s.Visible(ctx, p, id)
	if rerr != nil {
		return rerr
	}
	if why := decidable(r, p, s.cfg.Now()); why != nil {
		return why
	}
	return err
}

// Refuse ends a request without doing anything.
func (s *Service) Refuse(ctx context.Context, p Person, id string) (Request, error) {
	r, err := s.Visible(ctx, p, id)
	if err != nil {
		return Request{}, err
	}
	now := s.now()
	if err := decidable(r, p, now); err != nil {
		return Request{}, err
	}
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Decide(ctx, id, Refused, p.ClientID, now); err != nil {
			return err
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "eseal.change_refused", Actor: p.Organisation, Subject: r.SealID, Client: p.ClientID,
			Detail: map[string]string{"request": id, "operation": r.Operation, "proposed_by": r.ProposedBy}})
	})
	if err != nil {
		return Request{}, s.lost(ctx, p, id, err)
	}
	r.Decision, r.DecidedBy, r.DecidedAt = Refused, p.ClientID, now
	return r, nil
}

// Approve does what somebody else proposed: the decision, the seal, its history and the audit event move in one transaction or not at all.
func (s *Service) Approve(ctx context.Context, p Person, id string) (Request, Seal, error) {
	r, err := s.Visible(ctx, p, id)
	if err != nil {
		return Request{}, Seal{}, err
	}
	if err := decidable(r, p, s.now()); err != nil {
		return Request{}, Seal{}, err
	}
	var at time.Time
	if r.Operation == OpIssue {
		at, err = s.approveIssue(ctx, p, r)
	} else {
		at, err = s.approveChange(ctx, p, r)
	}
	if err != nil {
		return Request{}, Seal{}, s.lost(ctx, p, id, err)
	}
	r.Decision, r.DecidedBy, r.DecidedAt = Approved, p.ClientID, at
	x, err := s.cfg.Store.Get(ctx, r.SealID)
	if err == nil && r.Operation == OpIssue {
		x, err = s.WithCredential(ctx, x)
	}
	return r, x, err
}

// approveIssue makes the seal. Its key comes first, outside of the transaction: if that rolls back, a key is left that nothing names.
func (s *Service) approveIssue(ctx context.Context, p Person, r Request) (time.Time, error) {
	var c issueContent
	if err := json.Unmarshal([]byte(r.Content), &c); err != nil {
		return time.Time{}, fmt.Errorf("eseal: content of request: %w", err)
	}
	if _, ok := s.maker(r.Maker); !ok {
		return time.Time{}, ErrNotMaker // it was one when it was proposed
	}
	now, end := s.now(), c.seal(r.SealID, nil).Expires()
	if !now.Before(end) {
		return time.Time{}, fmt.Errorf("%w: it ended with %s", ErrValidity, c.ValidTo)
	}
	key, err := s.cfg.Keys.EnsureSeal(ctx, r.SealID, sealvc.Owner{Code: c.Owner.Code, Name: c.Owner.Name}, end.Sub(now)+keyMargin)
	if err != nil {
		return time.Time{}, fmt.Errorf("eseal: key of a seal: %w", err)
	}
	x, err := s.layOut(r, c, key, now)
	if err != nil {
		return time.Time{}, err
	}
	return now, s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Decide(ctx, r.ID, Approved, p.ClientID, now); err != nil {
			return err
		}
		if err := s.cfg.Store.Insert(ctx, x, Change{SealID: x.ID, Seq: 1, Operation: OpIssue, To: Active, EffectiveAt: x.StateSince, RecordedAt: now,
			ProposedBy: r.ProposedBy, ApprovedBy: p.ClientID}); err != nil {
			return err
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "eseal.seal_issued", Actor: p.Organisation, Subject: x.ID, Client: p.ClientID,
			Detail: map[string]string{"request": r.ID, "owner": x.Owner, "kind": x.Kind, "payload": x.PayloadHash, "proposed_by": r.ProposedBy}})
	})
}

// layOut makes the seal with the payload of its credential, which is recorded before it is signed.
func (s *Service) layOut(r Request, c issueContent, key Signer, now time.Time) (Seal, error) {
	if len(key.Chain) == 0 {
		return Seal{}, errors.New("eseal: the key of a seal has no certificate")
	}
	vc := c.seal(r.SealID, []string{sealvc.SignerHash(key.Chain[0])})
	if err := vc.Check(); err != nil {
		return Seal{}, fmt.Errorf("eseal: laying out: %w", err)
	}
	iat := now.Truncate(time.Second)
	laid, err := sdjwt.Build(sdjwt.Template{Claims: vc.Credential(Identifier(s.cfg.Origin, r.Maker), s.vct, s.integrity, iat)})
	if err != nil {
		return Seal{}, fmt.Errorf("eseal: laying out: %w", err)
	}
	sum := sha256.Sum256(laid.Payload)
	return Seal{ID: r.SealID, Maker: r.Maker, Owner: c.Owner.Code, OwnerName: c.Owner.Name, Kind: c.Kind, Name: c.Name, DocumentKinds: c.DocumentKinds,
		ValidFrom: c.ValidFrom, ValidTo: c.ValidTo, Payload: string(laid.Payload), PayloadHash: hex.EncodeToString(sum[:]), State: Active, StateSince: iat,
		Seq: 1, CreatedAt: now, UpdatedAt: now}, nil
}

// WithCredential returns the seal with its credential. If the process that recorded the payload died before it signed, whoever needs the credential next
// signs it: the payload is the same, and so is what the trust bundle says of it.
func (s *Service) WithCredential(ctx context.Context, x Seal) (Seal, error) {
	if x.Credential != "" {
		return x, nil
	}
	key, err := s.cfg.Keys.Maker(ctx, x.Maker)
	if err != nil {
		return x, fmt.Errorf("eseal: key of the seal maker: %w", err)
	}
	if younger(key, x) {
		return x, fmt.Errorf("%w: it was never signed, and the seal maker's key is newer than it; cancel it and issue another", ErrNotActive)
	}
	text, err := sdjwt.Issue(key.Key, key.Chain, sdjwt.Laid{Payload: []byte(x.Payload)})
	if err != nil {
		return x, fmt.Errorf("eseal: signing a seal: %w", err)
	}
	if err := s.cfg.Store.SetCredential(ctx, x.ID, text); err != nil {
		return x, err
	}
	return s.cfg.Store.Get(ctx, x.ID) // ours, or that of who was first
}

// younger: the maker's certificate begins after the seal's time of issue, as of which verifiers judge it.
func younger(maker Signer, x Seal) bool {
	if len(maker.Chain) == 0 {
		return true
	}
	leaf, err := x509.ParseCertificate(maker.Chain[0])
	return err != nil || leaf.NotBefore.After(x.CreatedAt.Truncate(time.Second))
}

// approveChange moves a seal to another state.
func (s *Service) approveChange(ctx context.Context, p Person, r Request) (at time.Time, err error) {
	var c changeContent
	if err := json.Unmarshal([]byte(r.Content), &c); err != nil {
		return at, fmt.Errorf("eseal: content of request: %w", err)
	}
	op, ok := OperationByName(r.Operation)
	if !ok {
		return at, fmt.Errorf("eseal: operation %q of a request", r.Operation)
	}
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		at = s.now()
		if err := s.cfg.Store.Decide(ctx, r.ID, Approved, p.ClientID, at); err != nil {
			return err
		}
		// From here on nobody seals with it; only now is the time right: a use that we waited for is before the change.
		if err := s.cfg.Store.Lock(ctx, r.SealID, c.Seq); err != nil {
			return err
		}
		x, err := s.cfg.Store.Get(ctx, r.SealID)
		if err != nil {
			return err
		}
		if !op.Allows(x.State) {
			return &TransitionError{op, x.State}
		}
		last, err := s.cfg.Store.LastUse(ctx, x.ID)
		if err != nil {
			return err
		}
		recorded := s.now() // once: in whole seconds both times must be the same
		begins := effective(op.To, recorded, x.StateSince, last)
		if recorded.Before(begins) {
			recorded = begins // a verifier takes the earlier of both
		}
		change := Change{SealID: x.ID, Seq: x.Seq + 1, Operation: op.Name, From: x.State, To: op.To, Reason: c.Reason,
			EffectiveAt: begins, RecordedAt: recorded, ProposedBy: r.ProposedBy, ApprovedBy: p.ClientID}
		if err := s.cfg.Store.SetState(ctx, change); err != nil {
			return err
		}
		if op.To == Cancelled { // for good: a key that will never seal again is only there to be stolen
			if err := s.cfg.Keys.DestroySeal(ctx, x.ID); err != nil {
				return err
			}
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "eseal.state_changed", Actor: p.Organisation, Subject: x.ID, Client: p.ClientID,
			Detail: map[string]string{"request": r.ID, "operation": op.Name, "from": string(x.State), "to": string(op.To), "proposed_by": r.ProposedBy}})
	})
	return at, err
}

// effective is when a state begins, in whole seconds, as signatures tell time. Nothing begins before the state that it follows. A suspension begins in the
// second after, and after the last use, whatever the clock of the node that recorded that: what was sealed before it stays before it.
func effective(to State, now, since, lastUse time.Time) time.Time {
	t := now.Truncate(time.Second)
	if t.Before(since) {
		t = since
	}
	if to == Active {
		return t
	}
	if last := lastUse.Truncate(time.Second); t.Before(last) {
		t = last
	}
	return t.Add(time.Second)
}

// now is in the precision of the Store.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
