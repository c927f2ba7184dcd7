package web

import (
	"html/template"
	"net/http"
	"time"
)

// Tone says how a status is judged; it picks icon and colour, never the word.
type Tone string

// Tones.
const (
	ToneOK   Tone = "ok"   // valid, done
	ToneWarn Tone = "warn" // withheld, expired soon, cannot tell
	ToneBad  Tone = "bad"  // revoked, annulled, cancelled
)

// LicenceView is one licence of the citizen.
type LicenceView struct {
	ID        string // GB/T 36904 identifier
	TypeID    string // "driving-licence": the control id is "offer-driving-licence"
	Name      Text   // 机动车驾驶证, Driving licence
	Issuer    Text
	Status    Text // the legal word: 有效, 暂扣, 吊销 ...
	Tone      Tone
	Reason    Text // why it is not valid, or zero
	ValidFrom time.Time
	ValidTo   time.Time // zero: no end
	Facts     []Fact    // what stands in it
	// CanOffer shows the form that moves it to a wallet; otherwise WhyNot says why not.
	CanOffer bool
	WhyNot   Text
	Action   string // form target
	Hidden   []Field
}

// LicencesPage lists the citizen's licences.
type LicencesPage struct {
	Person   Text // the name
	Licences []LicenceView
	CSRF     string
	Logout   string // href, "" hides it
}

// Licences shows "my licences". Controls: offer-<type>; a second licence of the same type gets offer-<type>-2 and so on.
func (p *Pages) Licences(w http.ResponseWriter, r *http.Request, page LicencesPage) {
	p.Render(w, r, http.StatusOK, "licences", newLicencesView(page))
}

// OfferPage shows a credential offer to be taken by a wallet.
type OfferPage struct {
	Licence Text
	Issuer  Text
	URI     string        // openid-credential-offer://?...
	QR      template.HTML // zero: made from URI
	TxCode  string
	Expires time.Time
	Back    string // href to the list
}

// Offer shows an offer. Controls: offer-uri (a link whose href is the offer), tx-code.
func (p *Pages) Offer(w http.ResponseWriter, r *http.Request, page OfferPage) {
	view, err := newOfferView(page)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.Render(w, r, http.StatusOK, "offer", view)
}
