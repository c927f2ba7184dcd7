package node

import (
	"context"
	"net/http"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/hostedports"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore/hostedstore"
	"github.com/hufu-id/hufu/internal/sqlstore/reissuestore"
	"github.com/hufu-id/hufu/wallet/hosted"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// openHosted opens the wallet that this server keeps for people.
func (n *Node) openHosted(context.Context) (err error) {
	cfg := hosted.Config{Origin: n.cfg.Origin, FormKey: n.secrets.forms, Pages: n.pages, Citizens: hostedCitizens{citizens{n}},
		Licences: hostedports.Licences{Register: n.register.Service, OfPerson: licences{n}.ofPerson, View: ownLicences{n}.view},
		Issuer:   hostedports.Issuer{Issuer: n.issuer, Publish: n.publish, Log: n.cfg.Log}, Keys: hostedports.Keys{Keys: n.keys}, Clients: hostedports.Clients{Provider: n.provider},
		Verifier: &hostedports.Verifier{Bundle: n.bundle, Register: n.register.Service}, Store: hostedstore.New(n.db),
		Sealer: httpx.NewSealer(n.secrets.hosted), Logout: "/logout", Log: n.cfg.Log}
	if n.hosted, err = hosted.New(cfg); err != nil {
		return err
	}
	// Whoever renews by the thousand leaves publishing to the background.
	cfg.Issuer = hostedports.Issuer{Issuer: n.issuer, Publish: func(context.Context) error { return nil }, Log: n.cfg.Log}
	renewer, err := hosted.New(cfg)
	n.renewals = hostedports.Renewals{Wallet: renewer, Licences: cfg.Licences}
	n.reissue = reissue.New(reissue.Config{Store: reissuestore.New(n.db), Renewer: n.renewals, Log: n.cfg.Log})
	return err
}

// hostedCitizens is the provider's session as the hosted wallet sees it.
type hostedCitizens struct{ citizens }

func (c hostedCitizens) Current(r *http.Request) (hosted.Citizen, bool) {
	v, ok := c.citizens.Current(r)
	return hosted.Citizen(v), ok
}
