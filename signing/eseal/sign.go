package eseal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// SignRequest asks to seal a document, of which we get the digest only.
type SignRequest struct {
	// RequestID is made by the client, 16 to 64 letters, digits and hyphens: the same id again never makes a second record.
	RequestID string `json:"request_id"`
	// SHA256 is the digest of the file's bytes in hex.
	SHA256 string `json:"sha256"`
	// DocumentKind may be left out if the seal allows one only.
	DocumentKind string `json:"document_kind,omitempty"`
	FileName     string `json:"file_name,omitempty"`
	MediaType    string `json:"media_type,omitempty"`
}

// Sealed is the answer to a SignRequest.
type Sealed struct {
	Use Use
	// Signature is the detached JAdES.
	Signature []byte
	// Repeated says that the use was recorded by an earlier request with this id.
	Repeated bool
}

// KindError is ErrKind with what the seal allows.
type KindError struct {
	Asked   string
	Allowed []string
}

func (e *KindError) Error() string {
	if e.Asked == "" {
		return "the seal may be used for several kinds of documents; say which: " + strings.Join(e.Allowed, ", ")
	}
	return fmt.Sprintf("the seal may not be used for %s, only for %s", e.Asked, strings.Join(e.Allowed, ", "))
}

// Is makes errors.Is(err, ErrKind) true.
func (e *KindError) Is(target error) bool { return target == ErrKind }

// Own returns a seal that a person's organisation owns or made. Another one is ErrNotFound, as if it didn't exist.
func (s *Service) Own(ctx context.Context, p Person, id string) (Seal, error) {
	if !sealIDForm.MatchString(id) {
		return Seal{}, ErrNotFound
	}
	x, err := s.cfg.Store.Get(ctx, id)
	if err != nil {
		return Seal{}, err
	}
	if p.Organisation == "" || p.Organisation != x.Owner && p.Organisation != x.Maker {
		return Seal{}, ErrNotFound
	}
	return x, nil
}

// owned returns a seal that a person's organisation may seal with.
func (s *Service) owned(ctx context.Context, p Person, id string) (Seal, error) {
	x, err := s.Own(ctx, p, id)
	if err == nil && x.Owner != p.Organisation {
		return Seal{}, ErrNotFound
	}
	return x, err
}

// Sign seals a digest: it records the use, then signs exactly what was recorded.
func (s *Service) Sign(ctx context.Context, p Person, sealID string, req SignRequest) (Sealed, error) {
	x, err := s.owned(ctx, p, sealID)
	if err != nil {
		return Sealed{}, err
	}
	digest, err := checkSign(x, &req)
	if err != nil {
		return Sealed{}, err
	}
	if x, err = s.WithCredential(ctx, x); err != nil {
		return Sealed{}, err
	}
	key, err := s.cfg.Keys.Seal(ctx, x.ID)
	if err != nil {
		return Sealed{}, fmt.Errorf("eseal: key of the seal: %w", err)
	}
	at := s.now()
	issued := at.Truncate(time.Second)
	if issued.Before(x.StateSince) {
		issued = x.StateSince // see effective
	}
	protected, err := jades.LayOut(jades.Template{Document: jades.Document{SHA256: digest, Name: req.FileName, MediaType: req.MediaType},
		Seal: x.Credential, KindURI: sealvc.DocumentKindURI(s.cfg.Origin, req.DocumentKind), IssuedAt: issued, Chain: key.Chain})
	if err != nil {
		return Sealed{}, fmt.Errorf("%w: %s", ErrInvalid, err)
	}
	out := Sealed{Use: Use{Organisation: p.Organisation, RequestID: req.RequestID, SealID: x.ID, ContentHash: contentHash(x.ID, req), Digest: req.SHA256,
		DocumentKind: req.DocumentKind, FileName: req.FileName, MediaType: req.MediaType, Protected: string(protected), ClientID: p.ClientID, UsedAt: at}}
	if err := s.cfg.Tx(ctx, func(ctx context.Context) error { return s.record(ctx, x, issued, &out) }); err != nil {
		return Sealed{}, err
	}
	// Only now, when the record is durable. A crash before this line costs nothing: the same request id signs the same bytes.
	if out.Signature, err = jades.Sign(key.Key, []byte(out.Use.Protected)); err != nil {
		return Sealed{}, fmt.Errorf("eseal: sealing: %w", err)
	}
	return out, nil
}

// record is the one transaction: hold the seal, record the use. A request id that was used before gives the record of then.
func (s *Service) record(ctx context.Context, x Seal, issued time.Time, out *Sealed) error {
	if err := s.cfg.Store.Hold(ctx, x.ID, x.Seq); err != nil {
		return err
	}
	// Held, so that neither a suspension nor another use comes between. Both count: the day that is signed, which verifiers judge, and the day on which we
	// are done waiting.
	if today(issued) < x.ValidFrom || today(s.cfg.Now()) > x.ValidTo {
		return fmt.Errorf("%w: it is valid from %s to %s", ErrValidity, x.ValidFrom, x.ValidTo)
	}
	use := out.Use
	err := s.cfg.Store.InsertUse(ctx, use)
	if errors.Is(err, ErrExists) {
		earlier, err := s.cfg.Store.UseOf(ctx, use.Organisation, use.RequestID)
		if err != nil {
			return err
		}
		if earlier.ContentHash != use.ContentHash {
			return ErrReused
		}
		out.Use, out.Repeated = earlier, true
		return nil
	}
	if err != nil {
		return err
	}
	out.Repeated = false // the transaction may run again
	return s.cfg.Audit(ctx, audit.Event{Kind: "eseal.document_sealed", Actor: use.Organisation, Subject: x.ID, Client: use.ClientID,
		Detail: map[string]string{"use": use.RequestID, "digest": use.Digest, "document_kind": use.DocumentKind}})
}

// checkSign refuses what needs no transaction, and fills in the kind of document if there is no choice.
func checkSign(x Seal, req *SignRequest) (digest [sha256.Size]byte, err error) {
	if !useIDForm.MatchString(req.RequestID) {
		return digest, fmt.Errorf("%w: request_id needs 16 to 64 letters, digits and hyphens", ErrInvalid)
	}
	raw, err := hex.DecodeString(req.SHA256)
	if err != nil || len(raw) != len(digest) || strings.ToLower(req.SHA256) != req.SHA256 {
		return digest, fmt.Errorf("%w: sha256 needs the digest in 64 lower-case hexadecimal digits", ErrInvalid)
	}
	copy(digest[:], raw)
	if req.FileName != "" && (!plainText(req.FileName, 200) || strings.ContainsAny(req.FileName, `/\`)) {
		return digest, fmt.Errorf("%w: file_name needs a plain name without folders, at most 200 characters", ErrInvalid)
	}
	if req.MediaType != "" && !mediaTypeForm.MatchString(req.MediaType) {
		return digest, fmt.Errorf("%w: media_type must look like application/pdf", ErrInvalid)
	}
	if req.DocumentKind == "" && len(x.DocumentKinds) == 1 {
		req.DocumentKind = x.DocumentKinds[0]
	}
	if !slices.Contains(x.DocumentKinds, req.DocumentKind) {
		if req.DocumentKind != "" && !slices.Contains(documentKindIDs(), req.DocumentKind) {
			return digest, fmt.Errorf("%w: document_kind must be one of %s", ErrInvalid, strings.Join(documentKindIDs(), ", "))
		}
		return digest, &KindError{Asked: req.DocumentKind, Allowed: x.DocumentKinds}
	}
	if x.State != Active {
		return digest, fmt.Errorf("%w: it is %s (%s)", ErrNotActive, x.State, x.State.ZH())
	}
	return digest, nil
}

// contentHash tells whether a request id comes back with the same content.
func contentHash(sealID string, req SignRequest) string {
	h := sha256.New()
	for _, part := range []string{sealID, req.SHA256, req.DocumentKind, req.FileName, req.MediaType} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// List returns the seals that a person's organisation owns or made, in order of id.
func (s *Service) List(ctx context.Context, p Person, after string, limit int) ([]Seal, error) {
	if p.Organisation == "" || limit < 1 || limit > 200 || after != "" && !sealIDForm.MatchString(after) {
		return nil, fmt.Errorf("%w: limit must be 1 to 200, after a seal id", ErrInvalid)
	}
	return s.cfg.Store.List(ctx, Filter{Organisation: p.Organisation, After: after, Limit: limit})
}

// Uses are the newest uses of a seal; only the owner sees them.
func (s *Service) Uses(ctx context.Context, p Person, sealID string) ([]Use, error) {
	x, err := s.owned(ctx, p, sealID)
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Uses(ctx, x.ID, 200)
}

// History returns the changes of a seal, oldest first.
func (s *Service) History(ctx context.Context, id string) ([]Change, error) {
	return s.cfg.Store.History(ctx, id)
}
