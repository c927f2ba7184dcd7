// Package hosted is the wallet that the server keeps for a person, at /wallet: it takes licences into copies with keys of their own, and shows of a
// copy exactly what the person chose.
//
//	GET  /wallet                          the licences as cards
//	GET  /wallet/licences/{id}            one licence: every field, its state, who saw what
//	POST /wallet/take, /wallet/remove     takes a licence (again), removes the copy
//	GET  /wallet/licences/{id}/show       what would be shown, POST shows it
//	GET  /wallet/ask                      what a counter asks for, leads to the page above
//	GET  /wallet/shown/{secret}           the person's own page of a showing; POST /wallet/stop ends it
//	GET  /wallet/history, /wallet/history.csv
//	GET  /shown/{secret}, .../file        for whoever has the link, for ten minutes
//
// The server is the holder here: it has the keys of the copies. What that means is said in docs/hosted-wallet.md.
package hosted

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/walletpages"
)

// Config is what the wallet needs. All fields but Log, Now and Logout are required.
type Config struct {
	// Origin is the national server's origin.
	Origin string
	// FormKey is 32 random bytes, the same on all nodes; it makes form tokens.
	FormKey  []byte
	Pages    *web.Pages
	Citizens Citizens
	Licences Licences
	Issuer   Issuer
	Keys     Keys
	Clients  Clients
	Verifier Verifier
	Store    Store
	// Sealer seals credentials at rest.
	Sealer *httpx.Sealer
	// Logout is the address of the logout page; empty hides the link.
	Logout string
	Now    func() time.Time
	Log    *slog.Logger
}

// Wallet serves the pages. It is safe for concurrent use and keeps no state of its own.
type Wallet struct {
	cfg   Config
	pages walletpages.Pages
}

// New returns the wallet.
func New(cfg Config) (*Wallet, error) {
	if cfg.Origin == "" || len(cfg.FormKey) < 32 || cfg.Pages == nil || cfg.Citizens == nil || cfg.Licences == nil || cfg.Issuer == nil || cfg.Keys == nil ||
		cfg.Clients == nil || cfg.Verifier == nil || cfg.Store == nil || cfg.Sealer == nil {
		return nil, errors.New("hosted: a required part is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Wallet{cfg: cfg, pages: walletpages.Pages{Pages: cfg.Pages}}, nil
}

// Routes mounts the pages.
func (w *Wallet) Routes(r *mux.Router) {
	get, post := http.MethodGet, http.MethodPost
	r.HandleFunc("/wallet", w.citizen(w.list)).Methods(get)
	r.HandleFunc("/wallet/licences/{id}", w.citizen(w.detail)).Methods(get)
	r.HandleFunc("/wallet/licences/{id}/show", w.citizen(w.preview)).Methods(get)
	r.HandleFunc("/wallet/licences/{id}/show", w.citizen(w.form(w.confirm))).Methods(post)
	r.HandleFunc("/wallet/take", w.citizen(w.form(w.take))).Methods(post)
	r.HandleFunc("/wallet/remove", w.citizen(w.form(w.remove))).Methods(post)
	r.HandleFunc("/wallet/stop", w.citizen(w.form(w.stop))).Methods(post)
	r.HandleFunc("/wallet/ask", w.citizen(w.ask)).Methods(get)
	r.HandleFunc("/wallet/shown/{secret}", w.citizen(w.own)).Methods(get)
	r.HandleFunc("/wallet/history", w.citizen(w.history)).Methods(get)
	r.HandleFunc("/wallet/history.csv", w.citizen(w.csv)).Methods(get)
	r.HandleFunc("/shown/{secret}", w.shown).Methods(get)
	r.HandleFunc("/shown/{secret}/file", w.file).Methods(get)
}
