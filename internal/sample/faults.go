package sample

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/web"
)

// Fault is a way in which a sample province misbehaves until told otherwise.
type Fault string

// The faults. Those of the first block stand on the page; the others are for tests.
const (
	NoFault      Fault = ""
	WrongNonce   Fault = "wrong-nonce"
	WrongIssuer  Fault = "wrong-issuer"
	BadSignature Fault = "bad-signature"
	Expired      Fault = "expired"
	Slow         Fault = "slow"
	Down         Fault = "down"

	NoNonce           Fault = "no-nonce"
	WrongAudience     Fault = "wrong-audience"
	AudienceList      Fault = "audience-list"
	NoAudience        Fault = "no-audience"
	NoExp             Fault = "no-exp"
	NoIat             Fault = "no-iat"
	OldIat            Fault = "old-iat"
	WrongAzp          Fault = "wrong-azp"
	WrongAtHash       Fault = "wrong-at-hash"
	WrongType         Fault = "wrong-type"
	OldAuthTime       Fault = "old-auth-time"
	UnknownACR        Fault = "unknown-acr"
	OddACR            Fault = "odd-acr"        // text that PostgreSQL doesn't keep
	RaisedACR         Fault = "raised-acr"     // asserts its highest level for everybody
	ForeignUserinfo   Fault = "other-userinfo" // userinfo of another subject
	NoIssParam        Fault = "no-iss-param"
	WrongIssParam     Fault = "wrong-iss-param"
	OtherIssuer       Fault = "discovery-other-issuer"
	ForeignToken      Fault = "discovery-foreign-token-endpoint"
	PlainHTTP         Fault = "discovery-http"
	MovedKeys         Fault = "discovery-moved-jwks"
	HugeKeys          Fault = "huge-jwks"
	ManyKeys          Fault = "many-keys"
	RedirectKeys      Fault = "redirect-jwks"
	TokenEndpointBusy Fault = "token-503"
)

// faultText names the faults that a person can choose on the page.
var faultText = []struct {
	Fault Fault
	Text  web.Text
}{
	{NoFault, web.Text{ZH: "一切正常", EN: "All is well"}},
	{WrongNonce, web.Text{ZH: "nonce 不对", EN: "Wrong nonce"}},
	{WrongIssuer, web.Text{ZH: "iss 写成别人", EN: "Wrong issuer"}},
	{BadSignature, web.Text{ZH: "签名不对", EN: "Bad signature"}},
	{Expired, web.Text{ZH: "id_token 已过期", EN: "Expired id_token"}},
	{Slow, web.Text{ZH: "回应很慢", EN: "Slow to answer"}},
	{Down, web.Text{ZH: "停机", EN: "Down"}},
}

var allFaults = []Fault{NoFault, WrongNonce, WrongIssuer, BadSignature, Expired, Slow, Down, NoNonce, WrongAudience, AudienceList,
	NoAudience, NoExp, NoIat, OldIat, WrongAzp, WrongAtHash, WrongType, OldAuthTime, UnknownACR, OddACR, RaisedACR, ForeignUserinfo, NoIssParam,
	WrongIssParam, OtherIssuer, ForeignToken, PlainHTTP, MovedKeys, HugeKeys, ManyKeys, RedirectKeys, TokenEndpointBusy}

// mangle spoils the claims of an id_token; header and signature faults are dealt with where it is signed.
func (f Fault) mangle(claims map[string]any, now time.Time, highest string) {
	switch f {
	case WrongNonce:
		claims["nonce"] = "not-the-nonce-that-was-sent"
	case NoNonce:
		delete(claims, "nonce")
	case WrongIssuer:
		claims["iss"] = "https://another-province.example"
	case Expired:
		claims["exp"] = now.Add(-time.Hour).Unix()
	case WrongAudience:
		claims["aud"] = "another-client"
	case AudienceList:
		claims["aud"] = []any{claims["aud"], "another-client"}
	case NoAudience:
		delete(claims, "aud")
	case NoExp:
		delete(claims, "exp")
	case NoIat:
		delete(claims, "iat")
	case OldIat:
		claims["iat"] = now.Add(-24 * time.Hour).Unix()
	case WrongAzp:
		claims["azp"] = "another-client"
	case WrongAtHash:
		claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA"
	case OldAuthTime:
		claims["auth_time"] = now.Add(-3 * time.Hour).Unix()
	case OddACR:
		claims["acr"] = "loa3\x00"
	case UnknownACR:
		claims["acr"] = "loa4" // our own word, which this province never agreed on
	case RaisedACR:
		claims["acr"] = highest
	}
}

// faults holds the one fault that is set.
type faults struct {
	mu  sync.Mutex
	set Fault
}

func (f *faults) get() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set
}

func (f *faults) put(v Fault) bool {
	if !slices.Contains(allFaults, v) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set = v
	return true
}

// SetFault makes the province misbehave from now on; NoFault ends it. Unknown faults are refused.
func (p *Province) SetFault(f Fault) bool { return p.faults.put(f) }

// faultsPage shows and sets the fault: GET a page or JSON ({"fault":""}), POST a form or JSON.
func (p *Province) faultsPage(w http.ResponseWriter, r *http.Request) {
	asJSON := r.Header.Get("Accept") == "application/json" || r.Header.Get("Content-Type") == "application/json"
	if r.Method == http.MethodPost {
		wanted := struct {
			Fault Fault `json:"fault"`
		}{Fault(r.PostFormValue("fault"))}
		if r.Header.Get("Content-Type") == "application/json" {
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&wanted); err != nil {
				http.Error(w, "send {\"fault\":\"<name>\"}", http.StatusBadRequest)
				return
			}
		}
		if !p.SetFault(wanted.Fault) {
			http.Error(w, "no such fault", http.StatusBadRequest)
			return
		}
	}
	if asJSON {
		writeJSON(w, http.StatusOK, map[string]any{"fault": p.faults.get(), "faults": allFaults})
		return
	}
	if r.Method == http.MethodPost {
		http.Redirect(w, r, "/faults", http.StatusSeeOther)
		return
	}
	render(w, http.StatusOK, "faults", map[string]any{"Info": p.cfg.Info, "Now": p.faults.get(), "Faults": faultText})
}
