package node

import (
	"context"
	"errors"
	"slices"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/sqlstore/esealstore"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/wallet/register"
)

// sealScope is what a person's token needs to work with seals, sealAudience completes the origin to its audience.
const (
	sealScope    = "seal"
	sealAudience = "/seals"
)

func (n *Node) openSeals(context.Context) (err error) {
	var makers []eseal.Maker
	for _, m := range n.cfg.SealMakers {
		makers = append(makers, eseal.Maker(m))
	}
	n.seals, err = eseal.New(eseal.Config{Origin: n.cfg.Origin, Store: esealstore.New(n.db), Tx: n.db.InTx, Audit: n.db.Audit,
		Keys: seals.Keys{Keys: n.keys}, Makers: makers})
	return err
}

// Seals is the register of seals.
func (n *Node) Seals() *eseal.Service { return n.seals }

// sealPeople tells who works with seals: a client is one person of its organisation.
type sealPeople struct{ departments }

func (s sealPeople) Authenticate(ctx context.Context, bearer string) (eseal.Person, error) {
	code, clientID, err := s.authorised(ctx, bearer, sealAudience, sealScope)
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		err = sealapi.ErrUnauthenticated
	case errors.Is(err, register.ErrInsufficientScope):
		err = sealapi.ErrInsufficientScope
	}
	return eseal.Person{Organisation: code, ClientID: clientID}, err
}

// sealMakers adds what the bundle says of seal makers and their seals.
func (b bundleInputs) sealMakers(ctx context.Context, in *bundle.Input) error {
	for _, m := range b.n.cfg.SealMakers {
		i, err := seals.Issuer(ctx, b.n.seals, b.n.cfg.Origin, eseal.Maker(m))
		if err != nil {
			return err
		}
		in.Issuers = append(in.Issuers, i)
	}
	if len(b.n.cfg.SealMakers) > 0 {
		in.Types[b.n.seals.VCT()] = b.n.seals.Metadata()
	}
	return nil
}

func (c Config) checkSealMakers(bad func(format string, args ...any)) {
	seen := map[string]bool{}
	for _, m := range c.SealMakers {
		if _, err := gb.ParseCreditCode(m.Code); err != nil || m.NameZH == "" || m.NameEN == "" {
			bad("seal_makers: %q needs a unified social credit code, name_zh and name_en", m.Code)
		}
		if _, both := c.authority(m.Code); both {
			bad("seal_makers: %s is an authority too; it can't be both", m.Code)
		}
		if seen[m.Code] {
			bad("seal_makers: %s is there twice", m.Code)
		}
		seen[m.Code] = true
	}
}

// checkSealKeys holds that two people are two keys, or one person could approve what she proposed. known is the client of each key so far.
func checkSealKeys(c oidc.Client, known map[string]string, bad func(format string, args ...any)) {
	if !slices.Contains(c.Scopes, sealScope) {
		return
	}
	for _, k := range c.JWKS {
		if other, ok := known[k.Thumbprint()]; ok && other != c.ID {
			bad("clients: %s and %s have one key: each person who works with seals needs her own", other, c.ID)
		}
		known[k.Thumbprint()] = c.ID
	}
}
