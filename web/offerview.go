package web

import (
	"errors"
	"html/template"
	"strconv"
	"strings"
)

// errOfferURI refuses an offer link with a scheme that no wallet answers to, such as javascript:.
var errOfferURI = errors.New("web: offer link is no credential offer")

// offerView is an OfferPage whose link was checked.
type offerView struct {
	OfferPage
	Link template.URL
}

// newOfferView checks the link, because html/template would rewrite its scheme and must be told that it is safe.
func newOfferView(page OfferPage) (offerView, error) {
	if !strings.HasPrefix(page.URI, "openid-credential-offer://") && !strings.HasPrefix(page.URI, "haip-vci://") {
		return offerView{}, errOfferURI
	}
	if page.QR == "" {
		label := Say("offer.qr", nil)
		code, err := QR(page.URI, label.ZH+" / "+label.EN)
		if err != nil {
			return offerView{}, err
		}
		page.QR = code
	}
	return offerView{OfferPage: page, Link: template.URL(page.URI)}, nil
}

// licencesView is a LicencesPage whose rows have control ids.
type licencesView struct {
	LicencesPage
	Rows []licenceRow
}

// newLicencesView gives every offer button an id that is unique in the page.
func newLicencesView(page LicencesPage) licencesView {
	v := licencesView{LicencesPage: page}
	seen := map[string]int{}
	for _, l := range page.Licences {
		seen[l.TypeID]++
		id := "offer-" + l.TypeID
		if n := seen[l.TypeID]; n > 1 {
			id += "-" + strconv.Itoa(n)
		}
		v.Rows = append(v.Rows, licenceRow{l, id})
	}
	return v
}
