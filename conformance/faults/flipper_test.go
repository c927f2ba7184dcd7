//go:build conformance

package faults_test

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// flipper is an authority that withholds a licence and restores it, as fast as it is answered. Each act makes the server sign a list and a bundle.
type flipper struct {
	taker      *worker // whose licence it is
	department keyFile
	origin     string
	bearer     string
	licence    string
	uri        string
	index      int64
	acts       int
	refused    error
}

// newFlipper takes a licence that nobody else in the test has.
func newFlipper(k *killWorld, key keyFile) *flipper {
	k.t.Helper()
	w := &worker{department: key, origin: k.app.Ready.Issuer, wallet: wallet.New(wallet.Options{}), person: "wang-jianguo", turn: 2}
	for len(w.credentials) == 0 {
		if err := w.step(context.Background()); err != nil {
			k.t.Fatal(err)
		}
	}
	place := readIssued(k.t, w.credentials[0].text).Status.List
	return &flipper{taker: w, department: key, origin: w.origin, bearer: w.bearer, licence: w.licence, uri: place.URI, index: place.Index}
}

// flip does the next act. Which one that is the server knows: an act whose answer the kill took was done or not.
func (f *flipper) flip() error {
	if f.bearer == "" {
		var err error
		if f.bearer, err = f.department.token(f.origin, "register"); err != nil {
			return err
		}
	}
	for _, operation := range []string{"withhold", "restore"} {
		var answer struct{}
		err := call(f.origin+"/register/v1/licences/"+f.licence+"/status", "application/json", f.bearer,
			[]byte(`{"operation":"`+operation+`","reason":"fault test"}`), http.StatusOK, &answer)
		switch {
		case errors.Is(err, errExpired):
			f.bearer = ""
			return nil
		case errors.Is(err, errRefused) && operation == "withhold":
			continue // it is withheld already
		case errors.Is(err, errRefused):
			f.refused = err
			return err
		case err != nil:
			return err
		}
		f.acts++
	}
	return nil
}

// check waits until the list says what the register says. Until then it may say what it said before, but it must always say something.
func (f *flipper) check(k *killWorld, round int) {
	k.t.Helper()
	want := statuslist.Valid
	for text := range k.column(`SELECT status FROM licences WHERE id = $1`, f.licence) {
		if text != "01" {
			want = statuslist.Suspended
		}
	}
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		got, err := k.status(f.uri, f.index)
		switch {
		case err != nil:
			k.t.Fatalf("the status list after kill %d: %v", round, err)
		case got == want:
			return
		case time.Since(begin) > 2*revocationSeen:
			k.t.Fatalf("after kill %d the list says %v, the register %v, for %s", round, got, want, time.Since(begin))
		}
	}
}
