package offer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/port"
	"github.com/hufu-id/hufu/wallet/issuer/request"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// departmentOffer is the body of POST /register/v1/offers.
type departmentOffer struct {
	// Person is the department's own reference of the holder; then Type is required and the newest licence in force is offered.
	Person string
	// Licence is a licence identifier. Exactly one of Person and Licence is given.
	Licence string
	Type    string
	// Grant is "pre-authorized_code" (when empty) or "authorization_code".
	Grant string
}

// departmentOfferAnswer is the answer, 201.
type departmentOfferAnswer struct {
	OfferURI string `json:"offer_uri"`
	// OfferValueURI is the same offer by value, for wallets that can't fetch.
	OfferValueURI string `json:"offer_value_uri"`
	TxCode        string `json:"tx_code,omitempty"`
	ExpiresAt     string `json:"expires_at"`
	Licence       string `json:"licence"`
}

var errOfferRequest = errors.New("issuer: offer request not valid")

// ServeDepartment lets a department make an offer of a licence that it issued.
func (d *Desk) ServeDepartment(w http.ResponseWriter, r *http.Request) {
	code, err := d.cfg.Departments.Authenticate(r)
	if errors.Is(err, port.ErrNotADepartment) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="register"`)
		wire.WriteError(w, http.StatusUnauthorized, "invalid_token", "a department's access token is required")
		return
	}
	if err != nil {
		wire.Fault(d.cfg.Log, w, r, err)
		return
	}
	if !d.knows(code) {
		wire.WriteError(w, http.StatusForbidden, "forbidden", "this department is not an issuing authority")
		return
	}
	body, _, ok := wire.ReadBody(w, r, request.MaxBytes, "invalid_credential_request", wire.JSON)
	if !ok {
		return
	}
	view, err := d.departmentOffer(r.Context(), code, body)
	switch {
	case err == nil:
	case errors.Is(err, errOfferRequest), errors.Is(err, ErrUnknownGrant):
		wire.WriteError(w, http.StatusBadRequest, "invalid_request", "send person and type, or licence (and type); grant is pre-authorized_code or authorization_code")
		return
	case errors.Is(err, port.ErrNoLicence):
		wire.WriteError(w, http.StatusNotFound, "not_found", "there is no such licence of this department")
		return
	case errors.Is(err, port.ErrNotInForce):
		wire.WriteError(w, http.StatusConflict, "not_in_force", "the licence is not in force")
		return
	default:
		wire.Fault(d.cfg.Log, w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusCreated, departmentOfferAnswer{OfferURI: view.URI, OfferValueURI: view.ValueURI, TxCode: view.TxCode,
		ExpiresAt: view.Offer.ExpiresAt.UTC().Format(time.RFC3339), Licence: view.Offer.LicenceID})
}

func (d *Desk) knows(code string) bool {
	_, ok := d.catalog().Entry(code)
	return ok
}

func (d *Desk) departmentOffer(ctx context.Context, code string, body []byte) (OfferView, error) {
	req, err := parseDepartmentOffer(body)
	if err != nil {
		return OfferView{}, err
	}
	o := OfferRequest{Department: code, LicenceID: req.Licence, TypeID: req.Type}
	switch req.Grant {
	case "", "pre-authorized_code":
	case "authorization_code":
		o.Grant = AuthorizationCode
	default:
		return OfferView{}, ErrUnknownGrant
	}
	if req.Person != "" {
		ids, err := d.cfg.Licences.OfReference(ctx, code, req.Person, req.Type)
		if err != nil {
			return OfferView{}, err
		}
		if len(ids) == 0 {
			return OfferView{}, port.ErrNoLicence
		}
		o.LicenceID = ids[0]
	}
	return d.CreateOffer(ctx, o)
}

func parseDepartmentOffer(body []byte) (departmentOffer, error) {
	var m map[string]json.RawMessage
	var req departmentOffer
	if err := jose.DecodeStrict(body, &m); err != nil {
		return req, errOfferRequest
	}
	for name, to := range map[string]*string{"person": &req.Person, "licence": &req.Licence, "type": &req.Type, "grant": &req.Grant} {
		if raw, present := m[name]; present && !request.Text(raw, to) {
			return req, errOfferRequest
		}
	}
	if (req.Person == "") == (req.Licence == "") || req.Person != "" && req.Type == "" {
		return req, errOfferRequest
	}
	return req, nil
}
