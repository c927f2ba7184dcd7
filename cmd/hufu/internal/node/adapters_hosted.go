package node

import (
	"context"
	"net/http"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/hostedports"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore/hostedstore"
	"github.com/hufu-id/hufu/wallet/hosted"
)

// openHosted opens the wallet that this server keeps for people.
func (n *Node) openHosted(context.Context) (err error) {
	n.hosted, err = hosted.New(hosted.Config{Origin: n.cfg.Origin, FormKey: n.secrets.forms, Pages: n.pages, Citizens: hostedCitizens{citizens{n}},
		Licences: hostedports.Licences{Register: n.register.Service, OfPerson: licences{n}.ofPerson, View: ownLicences{n}.view},
		Issuer:   hostedports.Issuer{Issuer: n.issuer, Publish: n.publish, Log: n.cfg.Log}, Keys: hostedports.Keys{Keys: n.keys}, Clients: hostedports.Clients{Provider: n.provider},
		Verifier: &hostedports.Verifier{Bundle: n.bundle, Register: n.register.Service}, Store: hostedstore.New(n.db),
		Sealer: httpx.NewSealer(n.secrets.hosted), Logout: "/logout", Log: n.cfg.Log})
	return err
}

// hostedCitizens is the provider's session as the hosted wallet sees it.
type hostedCitizens struct{ citizens }

func (c hostedCitizens) Current(r *http.Request) (hosted.Citizen, bool) {
	v, ok := c.citizens.Current(r)
	return hosted.Citizen(v), ok
}
