package register

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// New checks the configuration and reads the licence types.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Store == nil || cfg.Tx == nil || cfg.Audit == nil || cfg.Status == nil || cfg.Sealer == nil || cfg.MayIssue == nil:
		return nil, errors.New("register: a required part is missing")
	case len(cfg.IndexKey) < 32:
		return nil, errors.New("register: IndexKey must have 32 bytes")
	}
	if u, err := url.Parse(cfg.TypeBase); err != nil || u.Host == "" || strings.HasSuffix(cfg.TypeBase, "/") {
		return nil, errors.New("register: TypeBase must be a URL without a slash at its end")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	types, err := licencetype.Load(cfg.TypeBase)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, types: types, newest: licencetype.Newest(types)}, nil
}

// Types returns every version of every licence type, in order of ID and version.
func (s *Service) Types() []LicenceType { return s.types }

// Versions returns all versions of a licence type, the oldest first.
func (s *Service) Versions(id string) []LicenceType {
	var out []LicenceType
	for _, t := range s.types {
		if t.ID == id {
			out = append(out, t)
		}
	}
	return out
}

// Type finds the newest version of a licence type: the one that records are checked against and credentials are issued of.
func (s *Service) Type(id string) (LicenceType, bool) {
	for _, t := range s.newest {
		if t.ID == id {
			return t, true
		}
	}
	return LicenceType{}, false
}

// TypeByVCT finds a licence type by its vct.
func (s *Service) TypeByVCT(vct string) (LicenceType, bool) {
	for _, t := range s.types {
		if t.VCT == vct {
			return t, true
		}
	}
	return LicenceType{}, false
}

// Get returns a licence of any authority. It is for our own modules; the department API uses GetOwn.
func (s *Service) Get(ctx context.Context, id string) (Licence, error) {
	r, err := s.get(ctx, id)
	if err != nil {
		return Licence{}, err
	}
	return s.open(r)
}

// get keeps from the database what can't be an identifier: PostgreSQL refuses text that is not UTF-8 or holds a NUL, with an error.
func (s *Service) get(ctx context.Context, id string) (Record, error) {
	if !plausibleID(id) {
		return Record{}, ErrNotFound
	}
	return s.cfg.Store.Get(ctx, id)
}

func plausibleID(id string) bool {
	return id != "" && len(id) <= 128 && strings.Trim(id, ".0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// GetOwn returns a licence of one authority. Another authority's is ErrNotFound, as if it didn't exist.
func (s *Service) GetOwn(ctx context.Context, issuer, id string) (Licence, error) {
	r, err := s.get(ctx, id)
	if err != nil {
		return Licence{}, err
	}
	if issuer == "" || r.Issuer != issuer {
		return Licence{}, ErrNotFound
	}
	return s.open(r)
}

// Hold returns a licence whose status is valid and keeps the status from changing until the transaction in ctx ends: a revocation that comes
// meanwhile waits, and then finds the credential that was issued. ErrNotInForce if it is not in force at this moment.
func (s *Service) Hold(ctx context.Context, id string) (Licence, error) {
	if !plausibleID(id) {
		return Licence{}, ErrNotFound
	}
	r, err := s.cfg.Store.Hold(ctx, id)
	if err != nil {
		return Licence{}, err
	}
	l, err := s.open(r)
	if err != nil {
		return Licence{}, err
	}
	if !l.InForce(s.cfg.Now()) {
		return Licence{}, ErrNotInForce
	}
	return l, nil
}

// DefaultLimit is how many licences a page has if nobody says.
const DefaultLimit = 50

// List returns licences of one authority in order of ID.
func (s *Service) List(ctx context.Context, q Query) ([]Licence, error) {
	if q.Issuer == "" {
		return nil, fmt.Errorf("%w: whose licences?", ErrInvalid)
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit < 1 || q.Limit > 200 {
		return nil, fmt.Errorf("%w: limit must be 1 to 200", ErrInvalid)
	}
	if q.After != "" && !plausibleID(q.After) {
		return nil, fmt.Errorf("%w: after must be a licence identifier", ErrInvalid)
	}
	if _, ok := s.Type(q.TypeID); !ok && q.TypeID != "" {
		return nil, fmt.Errorf("%w: type must be one of %s", ErrInvalid, s.typeIDs())
	}
	f := Filter{Issuer: q.Issuer, TypeID: q.TypeID, After: q.After, Limit: q.Limit}
	if q.Reference != "" {
		f.ReferenceIndex = s.index("reference", q.Issuer, q.Reference)
	}
	return s.list(ctx, f)
}

// maxPerHolder bounds what one person's document number can bring up.
const maxPerHolder = 200

// ListByHolder returns the licences of all authorities that were granted to the holder of a document, in order of ID.
func (s *Service) ListByHolder(ctx context.Context, codeType, code string) ([]Licence, error) {
	if codeType == "" || code == "" {
		return nil, fmt.Errorf("%w: no document", ErrInvalid)
	}
	return s.list(ctx, Filter{HolderIndex: s.index("holder", codeType, code), Limit: maxPerHolder})
}

// ListOfHolder is ListByHolder for the licences of one type that one authority issued: the others aren't opened.
func (s *Service) ListOfHolder(ctx context.Context, codeType, code, issuer, typeID string) ([]Licence, error) {
	if codeType == "" || code == "" || issuer == "" || typeID == "" {
		return nil, fmt.Errorf("%w: no document, authority or type", ErrInvalid)
	}
	return s.list(ctx, Filter{HolderIndex: s.index("holder", codeType, code), Issuer: issuer, TypeID: typeID, Limit: maxPerHolder})
}

func (s *Service) list(ctx context.Context, f Filter) ([]Licence, error) {
	records, err := s.cfg.Store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Licence, 0, len(records))
	for _, r := range records {
		l, err := s.open(r)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Journal returns the legal acts on a licence, oldest first.
func (s *Service) Journal(ctx context.Context, id string) ([]Change, error) {
	changes, err := s.cfg.Store.Journal(ctx, id)
	if err != nil {
		return nil, err
	}
	for i, c := range changes {
		if changes[i].Reason, err = s.openReason(id, c.Reason); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// index is the keyed hash under which something is found. Without the key, a document number could be found by trying all there are.
func (s *Service) index(parts ...string) string {
	mac := hmac.New(sha256.New, s.cfg.IndexKey)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p) // lengths keep ("ab","c") and ("a","bc") apart
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sealed is the part of a licence that is encrypted at rest.
type sealed struct {
	RecordNumber string         `json:"n"`
	Holder       Holder         `json:"h"`
	Fields       map[string]any `json:"f"`
}

func sealPurpose(id string) string   { return "register/licence/" + id }
func reasonPurpose(id string) string { return "register/reason/" + id }

// seal makes the stored form of a licence.
func (s *Service) seal(l Licence) (Record, error) {
	text, err := s.cfg.Sealer.Seal(sealPurpose(l.ID), sealed{l.RecordNumber, l.Holder, l.Fields})
	if err != nil {
		return Record{}, fmt.Errorf("register: sealing: %w", err)
	}
	r := Record{ID: l.ID, TypeID: l.TypeID, TypeVersion: l.TypeVersion, Issuer: l.Issuer, Sealed: text, ValidFrom: l.ValidFrom, ValidTo: l.ValidTo,
		RecordIndex: s.index("record", l.Issuer, l.TypeID, l.RecordNumber),
		HolderIndex: s.index("holder", l.Holder.CodeType, l.Holder.Code),
		Predecessor: l.Predecessor, Successor: l.Successor, Status: l.Status, StatusSince: l.StatusSince, Seq: l.Seq, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt}
	if rep := l.Holder.Representative; rep != nil {
		r.RepresentativeIndex = s.index("holder", rep.CodeType, rep.Code)
	}
	if l.Holder.Reference != "" {
		r.ReferenceIndex = s.index("reference", l.Issuer, l.Holder.Reference)
	}
	return r, nil
}

// open is the inverse of seal.
func (s *Service) open(r Record) (Licence, error) {
	var p sealed
	if err := s.cfg.Sealer.Open(sealPurpose(r.ID), r.Sealed, &p); err != nil {
		return Licence{}, fmt.Errorf("register: opening record: %w", err)
	}
	reason, err := s.openReason(r.ID, r.Reason)
	if err != nil {
		return Licence{}, err
	}
	for name, v := range p.Fields {
		if items, ok := v.([]any); ok {
			list := make([]string, 0, len(items))
			for _, item := range items {
				if text, ok := item.(string); ok {
					list = append(list, text)
				}
			}
			p.Fields[name] = list
		}
	}
	return Licence{ID: r.ID, TypeID: r.TypeID, TypeVersion: r.TypeVersion, Issuer: r.Issuer, RecordNumber: p.RecordNumber, Holder: p.Holder, Fields: p.Fields,
		ValidFrom: r.ValidFrom, ValidTo: r.ValidTo, Predecessor: r.Predecessor, Successor: r.Successor, Status: r.Status, Reason: reason, StatusSince: r.StatusSince, Seq: r.Seq,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}, nil
}

func (s *Service) openReason(id, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var reason string
	if err := s.cfg.Sealer.Open(reasonPurpose(id), text, &reason); err != nil {
		return "", fmt.Errorf("register: opening reason: %w", err)
	}
	return reason, nil
}
