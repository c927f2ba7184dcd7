package node

import (
	"context"
	"fmt"
	"sort"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/keystore"
	"github.com/hufu-id/hufu/internal/sqlstore/reissuestore"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// KeyRoom is the part of a node that an operator's command needs: the database and the keys, and nothing that serves.
type KeyRoom struct {
	Keys *keys.Service
	// Reissue begins jobs and reads their reports; the server runs them.
	Reissue *reissue.Service
	db      *sqlstore.DB
	cfg     Config
}

// OpenKeys opens the keys of a server by its configuration. The server may be running.
func OpenKeys(ctx context.Context, cfg Config) (*KeyRoom, error) {
	kek, err := keys.ReadKEK(cfg.KEKFile)
	if err != nil {
		return nil, err
	}
	db, err := sqlstore.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	r := &KeyRoom{db: db, cfg: cfg}
	if err := db.CheckSchema(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("%w; run hufu migrate", err)
	}
	if r.Keys, err = keys.Open(ctx, keys.Config{Store: keystore.New(db), KEK: kek, Name: cfg.Name,
		Contact: cfg.Origin, CRL: cfg.Origin + crlPath}); err != nil {
		r.Close()
		return nil, err
	}
	r.Reissue = reissue.New(reissue.Config{Store: reissuestore.New(db)})
	return r, nil
}

// Close closes the database.
func (r *KeyRoom) Close() { _ = r.db.Close() }

// Purposes are all purposes of this configuration, sorted.
func (r *KeyRoom) Purposes() []keys.Purpose {
	var out []keys.Purpose
	for p := range r.cfg.specs() {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// VerifyAudit walks the audit chain. It returns how many events hold; see audit.Verify.
func (r *KeyRoom) VerifyAudit(ctx context.Context) (int64, error) {
	known, err := r.Keys.JWKS(ctx, keys.Audit)
	if err != nil {
		return 0, err
	}
	policy := jose.Policy{Typ: []string{auditHeadType}, Algs: []jose.Alg{jose.ES256}}
	return audit.Verify(ctx, sqlstore.AuditChain{DB: r.db}, func(jws string) ([]byte, error) {
		v, err := jose.Verify(jws, policy, known...)
		if err != nil {
			return nil, err
		}
		return v.Payload(), nil
	})
}
