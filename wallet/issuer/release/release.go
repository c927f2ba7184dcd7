// Package release is where an authority that wants to be asked says whether copies of a licence may go to wallets. Until it does, their issuance is
// deferred (OpenID4VCI 1.0, section 9).
package release

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
	"github.com/hufu-id/hufu/wallet/issuer/request"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// Desk is the part of the department API about releases. Safe for concurrent use.
type Desk struct {
	cfg     *port.Config
	catalog func() *catalog.Catalog
}

// New returns a Desk over a completed configuration.
func New(cfg *port.Config, catalog func() *catalog.Catalog) *Desk {
	return &Desk{cfg: cfg, catalog: catalog}
}

const (
	invalid = "invalid_request"
	most    = 200
)

// view is a release as the API shows it.
type view struct {
	Licence     string `json:"licence"`
	Type        string `json:"type"`
	State       string `json:"state"`
	Reason      string `json:"reason,omitempty"`
	RequestedAt string `json:"requested_at"`
	DecidedAt   string `json:"decided_at,omitempty"`
}

func viewOf(r port.Release) view {
	v := view{Licence: r.LicenceID, Type: r.TypeID, State: string(r.State), Reason: r.Reason, RequestedAt: r.RequestedAt.UTC().Format(time.RFC3339)}
	if !r.DecidedAt.IsZero() {
		v.DecidedAt = r.DecidedAt.UTC().Format(time.RFC3339)
	}
	return v
}

// department authenticates an issuing authority, or answers why not.
func (d *Desk) department(w http.ResponseWriter, r *http.Request) (string, bool) {
	code, err := d.cfg.Departments.Authenticate(r)
	switch {
	case errors.Is(err, port.ErrNotADepartment):
		w.Header().Set("WWW-Authenticate", `Bearer realm="register"`)
		wire.WriteError(w, http.StatusUnauthorized, "invalid_token", "a department's access token is required")
		return "", false
	case err != nil:
		wire.Fault(d.cfg.Log, w, r, err)
		return "", false
	}
	if _, ok := d.catalog().Entry(code); !ok {
		wire.WriteError(w, http.StatusForbidden, "forbidden", "this department is not an issuing authority")
		return "", false
	}
	return code, true
}

// List serves GET: the releases in a state (waiting when none is named), the oldest first, up to 200.
func (d *Desk) List(w http.ResponseWriter, r *http.Request) {
	code, ok := d.department(w, r)
	if !ok {
		return
	}
	state := port.ReleaseState(r.URL.Query().Get("state"))
	switch state {
	case "":
		state = port.Waiting
	case port.Waiting, port.Released, port.Refused:
	default:
		wire.WriteError(w, http.StatusBadRequest, invalid, "state is waiting, released or refused")
		return
	}
	list, err := d.cfg.Store.Releases(r.Context(), code, state, most)
	if err != nil {
		wire.Fault(d.cfg.Log, w, r, err)
		return
	}
	views := make([]view, len(list))
	for n, l := range list {
		views[n] = viewOf(l)
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"releases": views})
}

// Decide serves POST: {"licence", "state": "released" | "refused", "reason"}. A decision can be changed: what was issued meanwhile stays issued.
func (d *Desk) Decide(w http.ResponseWriter, r *http.Request) {
	code, ok := d.department(w, r)
	if !ok {
		return
	}
	body, _, ok := wire.ReadBody(w, r, 16<<10, invalid, wire.JSON)
	if !ok {
		return
	}
	rel, err := parse(body)
	if err != nil {
		wire.WriteError(w, http.StatusBadRequest, invalid, "send licence and state (released, or refused with a reason)")
		return
	}
	rel, err = d.decide(r.Context(), code, rel)
	switch {
	case errors.Is(err, port.ErrNoLicence):
		wire.WriteError(w, http.StatusNotFound, "not_found", "there is no such licence of this department")
	case errors.Is(err, port.ErrNotInForce):
		wire.WriteError(w, http.StatusConflict, "not_in_force", "the licence is not in force")
	case err != nil:
		wire.Fault(d.cfg.Log, w, r, err)
	default:
		httpx.WriteJSON(w, http.StatusOK, viewOf(rel))
	}
}

func (d *Desk) decide(ctx context.Context, code string, rel port.Release) (port.Release, error) {
	l, err := d.cfg.Licences.Licence(ctx, rel.LicenceID)
	switch {
	case err != nil && !errors.Is(err, port.ErrNotInForce):
		return rel, err
	case l.Issuer != code:
		return rel, port.ErrNoLicence
	case err != nil:
		return rel, err
	}
	rel.Authority, rel.TypeID, rel.DecidedBy, rel.DecidedAt = code, l.TypeID, code, d.cfg.Now()
	return d.cfg.Store.Decide(ctx, rel, audit.Event{Kind: "issuer.release_decided", Actor: code, Subject: rel.LicenceID,
		Detail: map[string]string{"state": string(rel.State)}})
}

var errBody = errors.New("release: body not valid")

func parse(body []byte) (port.Release, error) {
	var m map[string]json.RawMessage
	var rel port.Release
	var state string
	if jose.DecodeStrict(body, &m) != nil || !request.Text(m["licence"], &rel.LicenceID) || !request.Text(m["state"], &state) {
		return rel, errBody
	}
	rel.State = port.ReleaseState(state)
	if raw, present := m["reason"]; present && (!request.Text(raw, &rel.Reason) || len(rel.Reason) > 500) {
		return rel, errBody
	}
	if rel.State != port.Released && rel.State != port.Refused || rel.State == port.Refused && rel.Reason == "" {
		return rel, errBody
	}
	return rel, nil
}
