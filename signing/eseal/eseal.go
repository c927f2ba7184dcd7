// Package eseal is the register of seals and the sealing service. A seal maker issues an e-seal to a department; the department seals documents with it,
// of which we see the digest only.
//
// Two rules hold everywhere. Every change of a seal needs two people: one proposes, another approves. And what is signed is recorded first: a seal's
// payload before the seal maker's key signs it, a use's protected header before the seal's key does. The seal's key never leaves package keys.
//
// It is served by signing/eseal/sealapi.
package eseal

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// Person is one registered client, with a key file of its own: a person at an organisation.
type Person struct {
	// Organisation is the credit code of who she acts for.
	Organisation string
	// ClientID tells her from her colleagues: it stands in every record.
	ClientID string
}

// Why the register refused. The API turns each into a stable code.
var (
	ErrNotFound = errors.New("eseal: no such seal")
	// ErrNoRequest: also for a request of another organisation's seal.
	ErrNoRequest = errors.New("eseal: no such request")
	ErrInvalid   = errors.New("eseal: invalid request")
	// ErrNotMaker: only a seal maker issues.
	ErrNotMaker = errors.New("eseal: the organisation is no seal maker")
	// ErrOwnProposal: whoever proposed can't approve.
	ErrOwnProposal = errors.New("eseal: a second person must decide")
	ErrDecided     = errors.New("eseal: the request was decided already")
	ErrExpired     = errors.New("eseal: the request has expired")
	ErrTransition  = errors.New("eseal: the seal's state doesn't allow this")
	ErrStale       = errors.New("eseal: the seal was changed since the proposal")
	// ErrNotActive: nothing is sealed with a seal that is not active.
	ErrNotActive = errors.New("eseal: the seal is not active")
	ErrValidity  = errors.New("eseal: the seal is not within its validity")
	ErrKind      = errors.New("eseal: the seal may not be used for this kind of document")
	// ErrReused: the request id belongs to another document or seal.
	ErrReused = errors.New("eseal: the request id was used for something else")
	// ErrExists is of the Store: the id is taken.
	ErrExists = errors.New("eseal: exists already")
)

// Signer is a key and the certificates that go with it: leaf and intermediate, DER.
type Signer struct {
	Key   jose.SigningKey
	Chain [][]byte
}

// Keys lends out keys. Private keys stay where they are.
type Keys interface {
	// EnsureSeal makes the key of a seal if there is none, with a certificate of the owner that is valid for life. It is called outside of transactions.
	// ErrValidity when the authority of that certificate ends before.
	EnsureSeal(ctx context.Context, sealID string, owner sealvc.Owner, life time.Duration) (Signer, error)
	// Seal returns the key of a seal; ErrNotActive when it was destroyed.
	Seal(ctx context.Context, sealID string) (Signer, error)
	// DestroySeal erases the private key of a seal for good, in the transaction of ctx.
	DestroySeal(ctx context.Context, sealID string) error
	// Maker returns the active key of a seal maker; MakerJWKS what it publishes.
	Maker(ctx context.Context, code string) (Signer, error)
	MakerJWKS(ctx context.Context, code string) ([]jose.JWK, error)
}

// Maker is an organisation that may issue seals.
type Maker struct {
	// Code is its credit code.
	Code           string
	NameZH, NameEN string
}

// Config is what a Service needs. All members are required but Makers and Now.
type Config struct {
	// Origin is the national server's, without a slash: seals, makers and types hang on it.
	Origin string
	Store  Store
	Tx     func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit  func(ctx context.Context, ev audit.Event) error
	Keys   Keys
	Makers []Maker
	Now    func() time.Time
}

// Service is the register of seals. It is safe for concurrent use on any number of nodes.
type Service struct {
	cfg       Config
	vct       string
	metadata  []byte
	integrity string
	published published
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Tx == nil || cfg.Audit == nil || cfg.Keys == nil {
		return nil, errors.New("eseal: a required part is missing")
	}
	if u, err := url.Parse(cfg.Origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != cfg.Origin {
		return nil, errors.New("eseal: Origin must be an origin")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	vct := cfg.Origin + sealvc.Path
	metadata := sealvc.Metadata(vct)
	return &Service{cfg: cfg, vct: vct, metadata: metadata, integrity: sealvc.Integrity(metadata)}, nil
}

// VCT is the type of the seals' credentials, and where Metadata is served.
func (s *Service) VCT() string { return s.vct }

// Metadata is the type metadata of seals.
func (s *Service) Metadata() []byte { return s.metadata }

// Identifier is the issuer identifier of a seal maker.
func Identifier(origin, code string) string { return origin + "/seal-makers/" + code }

func (s *Service) maker(code string) (Maker, bool) {
	i := slices.IndexFunc(s.cfg.Makers, func(m Maker) bool { return m.Code == code })
	if i < 0 {
		return Maker{}, false
	}
	return s.cfg.Makers[i], true
}

// MakerKeys returns the issuer identifier of a seal maker and the keys that it publishes. ErrNotFound.
func (s *Service) MakerKeys(ctx context.Context, code string) (issuer string, keys []jose.JWK, err error) {
	if _, ok := s.maker(code); !ok {
		return "", nil, ErrNotFound
	}
	keys, err = s.cfg.Keys.MakerJWKS(ctx, code)
	return Identifier(s.cfg.Origin, code), keys, err
}

// State is where a seal is in its life.
type State string

// The states of a seal.
const (
	Active    State = "active"
	Suspended State = "suspended" // 挂失
	Cancelled State = "cancelled" // 注销, final
)

// ZH is the state for people.
func (s State) ZH() string {
	switch s {
	case Active:
		return "有效"
	case Suspended:
		return "挂失"
	case Cancelled:
		return "注销"
	}
	return "未知"
}

// OpIssue makes a seal; the other operations change one.
const OpIssue = "issue"

// Operation is a change of an existing seal.
type Operation struct {
	Name, ZH, EN string
	From         []State
	To           State
}

// Operations is the table of changes.
var Operations = []Operation{
	{"suspend", "挂失", "suspend", []State{Active}, Suspended},
	{"resume", "恢复", "resume", []State{Suspended}, Active},
	{"cancel", "注销", "cancel for good", []State{Active, Suspended}, Cancelled},
}

// OperationByName finds a change.
func OperationByName(name string) (Operation, bool) {
	i := slices.IndexFunc(Operations, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return Operations[i], true
}

// Allows says whether the change is possible from a state.
func (o Operation) Allows(from State) bool { return slices.Contains(o.From, from) }

var (
	sealIDForm    = regexp.MustCompile(`^[0-9A-Z]{18}-[0-9]{2}-[0-9A-Z]{10}$`)
	requestIDForm = regexp.MustCompile(`^[0-9A-Z]{12}$`)
	useIDForm     = regexp.MustCompile(`^[0-9A-Za-z-]{16,64}$`)
	mediaTypeForm = regexp.MustCompile(`^[a-z]{1,20}/[0-9a-z.+-]{1,80}$`)
)

// beijing is the time of the days of a validity.
var beijing = time.FixedZone("CST", 8*3600)

// today is the day in Beijing, as YYYY-MM-DD.
func today(at time.Time) string { return at.In(beijing).Format(time.DateOnly) }

// plainText keeps out what a terminal, a database or a reader stumbles on.
func plainText(s string, most int) bool {
	return s != "" && len([]rune(s)) <= most && strings.TrimSpace(s) == s && isPlain(s)
}
