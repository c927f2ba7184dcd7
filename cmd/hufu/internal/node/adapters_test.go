package node

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/hufu-id/hufu/wallet/issuer"
)

// What a department sends in the body of an offer request reaches the register as it is: a mistake of hers is an answer and never a
// fault of ours.
func TestOfferOfAnImpossibleTypeOrLicenceIsNoFault(t *testing.T) {
	l := licences{open(t)}
	const code = "1199440000TRY002X9"
	for _, typeID := range []string{"driving-licence", "no-such-type", "\x00", "\xff"} {
		if ids, err := l.OfReference(t.Context(), code, "nobody", typeID); err != nil || len(ids) != 0 {
			t.Errorf("%q: %v, %v", typeID, ids, err)
		}
	}
	for _, id := range []string{"1.2.3", "\x00", "a\x00b", "\xff"} {
		if _, err := l.Licence(t.Context(), id); !errors.Is(err, issuer.ErrNoLicence) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// X01: the origin decides about HSTS, also when a proxy in front ends TLS. On plain loopback it would lock the person out of other programs.
func TestX01HSTSFollowsTheOrigin(t *testing.T) {
	for origin, want := range map[string]bool{"https://id.example": true, testOrigin: false} {
		rec := httptest.NewRecorder()
		openAt(t, origin).Handler().ServeHTTP(rec, httptest.NewRequest("GET", origin+"/", nil))
		if got := rec.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: HSTS %v", origin, got)
		}
	}
}
