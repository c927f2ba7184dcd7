// Package offer makes Credential Offers and says what their codes stand for (OpenID4VCI 1.0, sections 4 and 6.1).
package offer

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// Desk makes, shows and redeems offers. Safe for concurrent use; it keeps nothing.
type Desk struct {
	cfg     *port.Config
	catalog func() *catalog.Catalog
	keys    derivedKeys
}

// New returns a Desk over a completed configuration.
func New(cfg *port.Config, catalog func() *catalog.Catalog) *Desk {
	return &Desk{cfg: cfg, catalog: catalog, keys: deriveKeys(cfg.Secret)}
}

func (d *Desk) identifier(code string) string { return catalog.Identifier(d.cfg.Origin, code) }

// ServeOffer serves a Credential Offer by reference while its code can be redeemed. Who has the URL has the code, and still needs the
// Transaction Code, which travels another way.
func (d *Desk) ServeOffer(w http.ResponseWriter, r *http.Request, a *catalog.Entry) {
	opaque := mux.Vars(r)["id"]
	o, err := d.cfg.Store.Offer(r.Context(), port.Hash(opaque))
	if err != nil && !errors.Is(err, port.ErrUnknownOffer) {
		wire.Fault(d.cfg.Log, w, r, err)
		return
	}
	if err != nil || o.Authority != a.Code || !d.open(o) {
		wire.WriteError(w, http.StatusNotFound, "not_found", "there is no such offer, or it was used, or it has expired")
		return
	}
	body, err := d.offerJSON(opaque, o)
	if err != nil {
		wire.Fault(d.cfg.Log, w, r, err)
		return
	}
	w.Header().Set("Content-Type", wire.JSON)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}
