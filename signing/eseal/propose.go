package eseal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// Limits of a proposal.
const (
	// openFor is how long a proposal waits for a second person.
	openFor = 7 * 24 * time.Hour
	// maxValidity is the longest validity of a seal, in years; maxAhead how far in the future it may begin.
	maxValidity = 3
	maxAhead    = 366 * 24 * time.Hour
	maxName     = 60
	maxReason   = 500
)

// Proposal is what a person asks for.
type Proposal struct {
	// Operation is "issue" or the name of one of Operations.
	Operation string `json:"operation"`
	// Seal and Reason belong to a change of an existing seal.
	Seal   string `json:"seal,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Issue belongs to "issue".
	Issue *Issue `json:"issue,omitempty"`
}

// Issue describes a seal to be made.
type Issue struct {
	Owner         OwnerView `json:"owner"`
	Kind          string    `json:"kind"`
	Name          string    `json:"name"`
	DocumentKinds []string  `json:"document_kinds"`
	// ValidFrom and ValidTo are days in Beijing, both included; ValidFrom is today if empty.
	ValidFrom string `json:"valid_from,omitempty"`
	ValidTo   string `json:"valid_to"`
	// Picture is PNG or JPEG in base64; optional.
	Picture []byte `json:"picture,omitempty"`
}

// OwnerView is the organisation whose seal it is.
type OwnerView struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// issueContent is an Issue as it is stored: the picture by its hash.
type issueContent struct {
	Owner         OwnerView    `json:"owner"`
	Kind          string       `json:"kind"`
	Name          string       `json:"name"`
	DocumentKinds []string     `json:"document_kinds"`
	ValidFrom     string       `json:"valid_from"`
	ValidTo       string       `json:"valid_to"`
	Picture       *pictureView `json:"picture,omitempty"`
}

type pictureView struct {
	MediaType string `json:"media_type"`
	SHA256    string `json:"sha256"`
}

// changeContent is a change as it is stored. Seq is the seal's at the proposal: who approves, approves for what the proposer saw.
type changeContent struct {
	Seal   string `json:"seal"`
	Reason string `json:"reason"`
	Seq    int64  `json:"seq"`
}

// Propose records what a person asks for. The same proposal of the same person is the same request for as long as it is open.
func (s *Service) Propose(ctx context.Context, p Person, ask Proposal) (Request, error) {
	if ask.Operation == OpIssue {
		return s.proposeIssue(ctx, p, ask)
	}
	op, ok := OperationByName(ask.Operation)
	if !ok {
		return Request{}, fmt.Errorf("%w: operation must be issue, suspend, resume or cancel", ErrInvalid)
	}
	if ask.Issue != nil || !plainText(ask.Reason, maxReason) {
		return Request{}, fmt.Errorf("%w: %s needs a reason of 1 to %d plain characters, and nothing of an issue", ErrInvalid, op.Name, maxReason)
	}
	x, err := s.Own(ctx, p, ask.Seal)
	if err != nil {
		return Request{}, err
	}
	if !op.Allows(x.State) {
		return Request{}, &TransitionError{op, x.State}
	}
	return s.propose(ctx, p, Request{SealID: x.ID, Maker: x.Maker, Owner: x.Owner, Operation: op.Name},
		changeContent{Seal: x.ID, Reason: ask.Reason, Seq: x.Seq}, nil)
}

func (s *Service) proposeIssue(ctx context.Context, p Person, ask Proposal) (Request, error) {
	if _, ok := s.maker(p.Organisation); !ok {
		return Request{}, ErrNotMaker
	}
	if ask.Issue == nil || ask.Seal != "" || ask.Reason != "" {
		return Request{}, fmt.Errorf(`%w: to issue, send {"operation": "issue", "issue": {...}} and no more`, ErrInvalid)
	}
	c := issueContent{Owner: ask.Issue.Owner, Kind: ask.Issue.Kind, Name: ask.Issue.Name, DocumentKinds: slices.Clone(ask.Issue.DocumentKinds),
		ValidFrom: ask.Issue.ValidFrom, ValidTo: ask.Issue.ValidTo}
	if c.ValidFrom == "" {
		c.ValidFrom = today(s.cfg.Now())
	}
	slices.Sort(c.DocumentKinds)
	if err := s.checkIssue(c); err != nil {
		return Request{}, err
	}
	var picture *StoredPicture
	if len(ask.Issue.Picture) > 0 {
		mediaType, err := checkPicture(ask.Issue.Picture)
		if err != nil {
			return Request{}, err
		}
		sum := sha256.Sum256(ask.Issue.Picture)
		picture = &StoredPicture{MediaType: mediaType, SHA256: base64.RawURLEncoding.EncodeToString(sum[:]), Body: ask.Issue.Picture}
		c.Picture = &pictureView{MediaType: picture.MediaType, SHA256: picture.SHA256}
	}
	id := c.Owner.Code + "-" + c.Kind + "-" + randomID(10)
	if err := c.seal(id, nil).Check(); err != nil {
		return Request{}, fmt.Errorf("%w: %s", ErrInvalid, err)
	}
	return s.propose(ctx, p, Request{SealID: id, Maker: p.Organisation, Owner: c.Owner.Code, Operation: OpIssue}, c, picture)
}

// checkIssue says in words what is wrong; sealvc checks again what a credential may say.
func (s *Service) checkIssue(c issueContent) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	if code, err := gb.ParseCreditCode(c.Owner.Code); err != nil || string(code) != c.Owner.Code {
		return bad("owner.code is no unified social credit code")
	}
	if !plainText(c.Owner.Name, maxName) || !plainText(c.Name, maxName) {
		return bad("owner.name and name need 1 to %d plain characters", maxName)
	}
	if _, ok := sealvc.KindNamed(c.Kind); !ok {
		return bad("kind must be 01, 02, 03, 04, 05 or 99")
	}
	known := documentKindIDs()
	if len(c.DocumentKinds) == 0 || len(slices.Compact(slices.Clone(c.DocumentKinds))) != len(c.DocumentKinds) ||
		slices.ContainsFunc(c.DocumentKinds, func(k string) bool { return !slices.Contains(known, k) }) {
		return bad("document_kinds needs one or more of %s, each once", strings.Join(known, ", "))
	}
	from, err1 := time.ParseInLocation(time.DateOnly, c.ValidFrom, beijing)
	to, err2 := time.ParseInLocation(time.DateOnly, c.ValidTo, beijing)
	now := s.cfg.Now()
	switch {
	case err1 != nil || err2 != nil:
		return bad("valid_from and valid_to are days such as 2027-12-31")
	case c.ValidFrom < today(now):
		return bad("valid_from is in the past")
	case from.After(now.Add(maxAhead)):
		return bad("valid_from is more than a year away")
	case c.ValidTo < c.ValidFrom:
		return bad("valid_to is before valid_from")
	case !to.Before(from.AddDate(maxValidity, 0, 0)):
		return bad("a seal is valid for %d years at most", maxValidity)
	}
	return nil
}

// seal is the content as a credential says it.
func (c issueContent) seal(id string, signers []string) sealvc.Seal {
	if signers == nil {
		signers = []string{sealvc.SignerHash(nil)} // stands for the certificate that is made at the approval
	}
	out := sealvc.Seal{ID: id, Kind: c.Kind, Name: c.Name, Owner: sealvc.Owner{Code: c.Owner.Code, Name: c.Owner.Name},
		DocumentKinds: c.DocumentKinds, ValidFrom: c.ValidFrom, ValidTo: c.ValidTo, Signers: signers}
	if c.Picture != nil {
		out.Picture = &sealvc.Picture{MediaType: c.Picture.MediaType, SHA256: c.Picture.SHA256}
	}
	return out
}

func (s *Service) propose(ctx context.Context, p Person, r Request, content any, picture *StoredPicture) (Request, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return Request{}, fmt.Errorf("eseal: content of a proposal: %w", err)
	}
	sum := sha256.Sum256([]byte(r.Operation + "\n" + p.Organisation + "\n" + string(b)))
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	r.ID, r.Content, r.ContentHash = randomID(12), string(b), hex.EncodeToString(sum[:])
	r.Organisation, r.ProposedBy, r.ProposedAt, r.ExpiresAt = p.Organisation, p.ClientID, now, now.Add(openFor)
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Propose(ctx, r); err != nil {
			return err
		}
		if picture != nil {
			picture.SealID = r.SealID
			if err := s.cfg.Store.PutPicture(ctx, *picture); err != nil {
				return err
			}
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "eseal.change_proposed", Actor: p.Organisation, Subject: r.SealID, Client: p.ClientID,
			Detail: map[string]string{"request": r.ID, "operation": r.Operation}})
	})
	if errors.Is(err, ErrExists) {
		return s.cfg.Store.Open(ctx, p.ClientID, r.ContentHash)
	}
	return r, err
}

func documentKindIDs() (out []string) {
	for _, k := range sealvc.DocumentKinds() {
		out = append(out, k.ID)
	}
	return out
}

// randomID returns n characters of 0-9 and A-Z, each value equally likely.
func randomID(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		for _, v := range b {
			if v < 252 && len(out) < n { // 252 = 7 x 36: the rest would favour the first characters
				out = append(out, alphabet[v%36])
			}
		}
	}
	return string(out)
}

func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError })
}

// TransitionError is ErrTransition with what was tried.
type TransitionError struct {
	Operation Operation
	State     State
}

func (e *TransitionError) Error() string {
	var from []string
	for _, st := range e.Operation.From {
		from = append(from, string(st))
	}
	return fmt.Sprintf("the seal is %s (%s); %s is possible only for a seal that is %s", e.State, e.State.ZH(), e.Operation.Name, strings.Join(from, " or "))
}

// Is makes errors.Is(err, ErrTransition) true.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }
