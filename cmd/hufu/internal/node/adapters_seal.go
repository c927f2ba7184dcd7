package node

import (
	"context"
	"errors"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/internal/sqlstore/esealstore"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/wallet/register"
)

// sealAudience completes the origin to the audience of a person's token.
const sealAudience = "/seals"

func (n *Node) openSeals(context.Context) (err error) {
	n.seals, err = eseal.New(eseal.Config{Origin: n.cfg.Origin, Store: esealstore.New(n.db), Tx: n.db.InTx, Audit: n.db.Audit,
		Keys: seals.Keys{Keys: n.keys}, Makers: n.cfg.makers()})
	return err
}

// Seals is the register of seals.
func (n *Node) Seals() *eseal.Service { return n.seals }

// sealPeople tells who works with seals: a client is one person of its organisation.
type sealPeople struct{ departments }

func (s sealPeople) Authenticate(ctx context.Context, bearer string) (eseal.Person, error) {
	code, clientID, err := s.authorised(ctx, bearer, sealAudience, seals.Scope)
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		err = sealapi.ErrUnauthenticated
	case errors.Is(err, register.ErrInsufficientScope):
		err = sealapi.ErrInsufficientScope
	}
	return eseal.Person{Organisation: code, ClientID: clientID}, err
}

func (c Config) makers() (out []eseal.Maker) {
	for _, m := range c.SealMakers {
		out = append(out, eseal.Maker(m))
	}
	return out
}
