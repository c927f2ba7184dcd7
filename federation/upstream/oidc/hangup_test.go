package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/sample"
)

// E03: browsers that hang up while we ask the province must not open its breaker: with a junk code anybody could have closed a
// province for everybody. The twin is a province that really doesn't answer.
func TestE03HangingUpDoesNotCloseTheProvince(t *testing.T) {
	r := newRig(t, nil)
	r.mustLogin()
	for range 10 {
		ctx, hangUp := context.WithCancel(context.Background())
		r.token = func(*http.Request) { hangUp() } // while the province is being asked
		a := r.attempt()
		answer := r.answer(a)
		answer.Set("code", "junk")
		if _, err := r.connector.Finish(ctx, a, answer); errors.Is(err, upstream.ErrUnavailable) || err == nil {
			t.Fatalf("hung up: %v", err)
		}
		hangUp()
	}
	r.token = nil
	if r.connector.State().Down {
		t.Error("the province is closed")
	}
	r.mustLogin()
	answers := r.answer(r.attempt())
	r.province.SetFault(sample.TokenEndpointBusy)
	for range 3 {
		if _, err := r.connector.Finish(context.Background(), r.attempt(), answers); !errors.Is(err, upstream.ErrUnavailable) {
			t.Fatalf("twin: %v", err)
		}
	}
	if !r.connector.State().Down {
		t.Error("twin: the breaker stays closed")
	}
}
