// Package bundlepub publishes the trust bundle: it collects what belongs into it, signs what changed and serves the
// repository as files and as one zip.
//
// Any node may publish; the store decides which one did, and versions never go back. Every node serves the same
// bytes, from the database. What is signed is recorded before: a version is reserved, with an audit event, and a
// reserved version is never used for another content, also when a node dies between signing and publishing.
package bundlepub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
)

var (
	// ErrLost: another node reserved or published meanwhile. Nothing was changed by this call.
	ErrLost = errors.New("bundlepub: another node was first")
	// ErrNotFound: no such file, now or recently.
	ErrNotFound = errors.New("bundlepub: no such file")
	// ErrNothing: nothing was published yet.
	ErrNothing = errors.New("bundlepub: nothing is published yet")
)

// Inputs collects what belongs into the bundle now. It is asked at every step, so it
// should cost little when nothing changed.
type Inputs interface {
	Input(ctx context.Context) (bundle.Input, error)
}

// Keys gives the keys of the bundle's roles. Roles are "root", "timestamp", "snapshot",
// "targets", "status" and, for each issuing authority, bundle.RoleIssuer(credit code);
// an authority that left must keep its key, since its role stays in the bundle, empty.
type Keys interface {
	// Signer is the role's active key: ES256.
	Signer(ctx context.Context, role string) (jose.SigningKey, error)
	// Published lists the public keys of the role that verifiers should know, the active
	// one included: next, active and retired. It is asked for "root" only: the next root key must
	// be in a root file before its first use, or no old verifier could follow.
	Published(ctx context.Context, role string) ([]jose.JWK, error)
}

// Head is the published state.
type Head struct {
	// Version is the timestamp's; 0 before the first publication.
	Version int64
	// Reserved is the highest version ever reserved.
	Reserved int64
	// InputDigest names what was published: parts and keys.
	InputDigest string
	AsOf        time.Time
}

// Publication is what Store.Publish writes at once.
type Publication struct {
	// From is the state it was built on; Head the new one. Head.Reserved equals Head.Version.
	From, Head Head
	Files      bundle.Files
	// ForgetBefore: files that were dropped before this time are deleted.
	ForgetBefore time.Time
	Event        audit.Event
}

// Store keeps the published repository. Implementations are safe for concurrent use by
// many nodes; every method is one transaction, or joins the one in ctx.
type Store interface {
	// Head returns the state; the zero Head before anything was reserved.
	Head(ctx context.Context) (Head, error)
	// Load returns the state and the files that belong to it, consistent with each
	// other. Bodies of known files with the same hash are reused instead of read.
	Load(ctx context.Context, known bundle.Files) (Head, bundle.Files, error)
	// File returns a current or recently dropped file. ErrNotFound.
	File(ctx context.Context, path string) ([]byte, error)
	// Reserve records that version is about to be signed, and the event, if nobody reserved
	// or published since from. ErrLost.
	Reserve(ctx context.Context, from Head, version int64, ev audit.Event) error
	// Publish makes p the published state if p.Head.Version is the latest reservation and p.From the
	// published version. Files that are no longer part of it are marked as dropped. ErrLost.
	Publish(ctx context.Context, p Publication) error
}

// Config is what a Service needs.
type Config struct {
	Store  Store
	Inputs Inputs
	Keys   Keys
	Now    func() time.Time
	// Refresh is how old an unchanged bundle may become before it is confirmed anew, so that its
	// AsOf stays young; zero is one hour.
	Refresh time.Duration
	// Lifetimes are how long signatures hold; zero fields take bundle.DefaultLifetimes.
	Lifetimes bundle.Lifetimes
	// Grace is how long files of older versions are served to mirrors that are under way; zero is one hour.
	Grace time.Duration
}

// Service builds and serves the bundle. It is safe for concurrent use.
type Service struct {
	cfg     Config
	publish sync.Mutex // one build at a time on this node
	load    sync.Mutex
	served  atomic.Pointer[served]
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Inputs == nil || cfg.Keys == nil {
		return nil, errors.New("bundlepub: a required part is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = time.Hour
	}
	if cfg.Grace <= 0 {
		cfg.Grace = time.Hour
	}
	return &Service{cfg: cfg}, nil
}

// Publish signs and stores a new version if the inputs or keys changed since the last one, or if it
// grew older than Refresh; otherwise it does nothing. It is a background step, to be run every second or two
// and whenever a status list changed. Losing against another node is no error.
func (s *Service) Publish(ctx context.Context) error {
	s.publish.Lock()
	defer s.publish.Unlock()
	in, err := s.cfg.Inputs.Input(ctx)
	if err != nil {
		return fmt.Errorf("bundlepub: collecting inputs: %w", err)
	}
	head, err := s.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("bundlepub: reading state: %w", err)
	}
	keys, err := s.keys(ctx, in)
	if err != nil {
		return err
	}
	digest, err := inputDigest(in, keys)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	if head.Version > 0 && head.InputDigest == digest && now.Sub(head.AsOf) < s.cfg.Refresh && head.Reserved-head.Version < leap {
		return nil
	}
	if err := s.build(ctx, in, keys, digest, now); err != nil && !errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// leap is a step between versions that only a restore makes, which reserves many: what other nodes reserve meanwhile, or die with, is a
// handful. Then every part is signed again with a version above all that verifiers can have seen before the restore.
const leap = 10_000

// build makes and stores one version.
func (s *Service) build(ctx context.Context, in bundle.Input, keys bundle.Keys, digest string, now time.Time) error {
	head, prev, err := s.cfg.Store.Load(ctx, s.known())
	if err != nil {
		return fmt.Errorf("bundlepub: reading the published bundle: %w", err)
	}
	if err := s.leavers(ctx, prev, keys); err != nil {
		return err
	}
	version := head.Reserved + 1
	detail := map[string]string{"version": fmt.Sprint(version), "input": digest}
	if err := s.cfg.Store.Reserve(ctx, head, version, audit.Event{Kind: "bundle.version_reserved", Actor: "system", Subject: "bundle", Detail: detail}); err != nil {
		return err
	}
	o := bundle.Options{At: now, Version: version, Lifetimes: s.cfg.Lifetimes}
	if head.Version > 0 && version-head.Version > leap {
		o.Floor = version
	}
	files, err := bundle.Build(prev, in, keys, o)
	if err != nil {
		return fmt.Errorf("bundlepub: building: %w", err)
	}
	// A bundle that our own verifier refuses would blind every counter: it must follow
	// from the first root that was ever handed out.
	c, err := bundle.VerifyFiles(files["1.root.json"], files, now)
	if err != nil {
		return fmt.Errorf("bundlepub: the new bundle doesn't verify: %w", err)
	}
	from := head
	from.Reserved = version
	next := Head{Version: version, Reserved: version, InputDigest: digest, AsOf: c.AsOf}
	err = s.cfg.Store.Publish(ctx, Publication{From: from, Head: next, Files: files, ForgetBefore: now.Add(-s.cfg.Grace),
		Event: audit.Event{Kind: "bundle.published", Actor: "system", Subject: "bundle", Detail: map[string]string{
			"version": fmt.Sprint(version), "root": fmt.Sprint(c.RootVersion), "digest": c.Digest}}})
	if v := s.served.Load(); err == nil && v != nil {
		look := *v
		look.checked = time.Time{} // this node serves what it published at once
		s.served.Store(&look)
	}
	return err
}

// keys collects the keys of all roles of the input.
func (s *Service) keys(ctx context.Context, in bundle.Input) (bundle.Keys, error) {
	out := bundle.Keys{Issuers: map[string]bundle.RoleKeys{}}
	for role, to := range map[string]*bundle.RoleKeys{
		"root": &out.Root, "timestamp": &out.Timestamp, "snapshot": &out.Snapshot, "targets": &out.Targets, bundle.RoleStatus: &out.Status,
	} {
		k, err := s.key(ctx, role)
		if err != nil {
			return out, err
		}
		*to = k
	}
	for _, i := range in.Issuers {
		k, err := s.key(ctx, bundle.RoleIssuer(i.Code))
		if err != nil {
			return out, err
		}
		out.Issuers[i.Code] = k
	}
	published, err := s.cfg.Keys.Published(ctx, "root")
	if err != nil {
		return out, fmt.Errorf("bundlepub: root keys: %w", err)
	}
	for _, k := range published {
		out.Root.Also = append(out.Root.Also, bundle.PublicKey{Key: k.Public()})
	}
	return out, nil
}

// leavers adds the keys of authorities that are published but no longer in the input.
func (s *Service) leavers(ctx context.Context, prev bundle.Files, keys bundle.Keys) error {
	for _, code := range bundle.PublishedIssuers(prev) {
		if _, ok := keys.Issuers[code]; ok {
			continue
		}
		k, err := s.key(ctx, bundle.RoleIssuer(code))
		if err != nil {
			return err
		}
		keys.Issuers[code] = k
	}
	return nil
}

func (s *Service) key(ctx context.Context, role string) (bundle.RoleKeys, error) {
	k, err := s.cfg.Keys.Signer(ctx, role)
	if err != nil {
		return bundle.RoleKeys{}, fmt.Errorf("bundlepub: key of role %s: %w", role, err)
	}
	return bundle.RoleKeys{Signers: []bundle.Signer{{Key: k.Key}}}, nil
}

// inputDigest covers parts and keys: a rotated key must be published too.
func inputDigest(in bundle.Input, keys bundle.Keys) (string, error) {
	parts, err := bundle.Digest(in)
	if err != nil {
		return "", fmt.Errorf("bundlepub: %w", err)
	}
	of, err := keys.Digest()
	if err != nil {
		return "", fmt.Errorf("bundlepub: %w", err)
	}
	sum := sha256.Sum256(append(parts[:], of[:]...))
	return hex.EncodeToString(sum[:]), nil
}
