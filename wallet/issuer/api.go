package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/request"
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

// serveDepartmentOffer lets a department make an offer of a licence that it issued.
func (i *Issuer) serveDepartmentOffer(w http.ResponseWriter, r *http.Request) {
	code, err := i.cfg.Departments.Authenticate(r)
	if errors.Is(err, ErrNotADepartment) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="register"`)
		writeError(w, http.StatusUnauthorized, "invalid_token", "a department's access token is required")
		return
	}
	if err != nil {
		i.fault(w, r, err)
		return
	}
	if !i.knows(code) {
		writeError(w, http.StatusForbidden, "forbidden", "this department is not an issuing authority")
		return
	}
	body, ok := readJSON(w, r)
	if !ok {
		return
	}
	view, err := i.departmentOffer(r.Context(), code, body)
	switch {
	case err == nil:
	case errors.Is(err, errOfferRequest), errors.Is(err, ErrUnknownGrant):
		writeError(w, http.StatusBadRequest, "invalid_request", "send person and type, or licence (and type); grant is pre-authorized_code or authorization_code")
		return
	case errors.Is(err, ErrNoLicence):
		writeError(w, http.StatusNotFound, "not_found", "there is no such licence of this department")
		return
	case errors.Is(err, ErrNotInForce):
		writeError(w, http.StatusConflict, "not_in_force", "the licence is not in force")
		return
	default:
		i.fault(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusCreated, departmentOfferAnswer{OfferURI: view.URI, OfferValueURI: view.ValueURI, TxCode: view.TxCode,
		ExpiresAt: view.Offer.ExpiresAt.UTC().Format(time.RFC3339), Licence: view.Offer.LicenceID})
}

func (i *Issuer) knows(code string) bool {
	_, ok := i.authorities.Load().Entry(code)
	return ok
}

func (i *Issuer) departmentOffer(ctx context.Context, code string, body []byte) (OfferView, error) {
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
		ids, err := i.cfg.Licences.OfReference(ctx, code, req.Person, req.Type)
		if err != nil {
			return OfferView{}, err
		}
		if len(ids) == 0 {
			return OfferView{}, ErrNoLicence
		}
		o.LicenceID = ids[0]
	}
	return i.CreateOffer(ctx, o)
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
