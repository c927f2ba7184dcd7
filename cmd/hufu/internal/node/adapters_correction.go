package node

import (
	"context"
	"errors"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/reports"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/web"
)

// openCorrection opens the room of reports of errors in licences.
func (n *Node) openCorrection(ctx context.Context) (err error) {
	n.correction, err = reports.Open(ctx, reports.Node{Origin: n.cfg.Origin, DB: n.db, Pages: n.pages, FormKey: n.secrets.forms, Log: n.cfg.Log,
		Secret: n.keys.Secret, Citizens: citizens{n}, Department: departments{n}.department, Register: n.register.Service, Own: n.ownOf,
		Authority: func(code string) web.Text {
			a, _ := n.cfg.authority(code)
			return web.Text{ZH: a.NameZH, EN: a.NameEN}
		}})
	return err
}

// ownOf lists the licences of a person; somebody who is gone has none.
func (n *Node) ownOf(ctx context.Context, personID string) ([]register.Licence, error) {
	all, err := licences{n}.ofPerson(ctx, personID)
	if errors.Is(err, issuer.ErrNoLicence) {
		return nil, nil
	}
	return all, err
}
