package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// away is a store that can't use up assertions for now.
type away struct {
	oidc.Store
	off bool
}

func (a *away) ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error {
	if a.off && kind == client.AssertionKind {
		return errors.New("the database is away")
	}
	return a.Store.ClaimOnce(ctx, kind, id, expires)
}

// A client that hears invalid_client of a fault looks for the mistake in its keys.
func TestAFaultAtPARIsNoWrongAssertion(t *testing.T) {
	store := &away{}
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1, func(e *env) {
		e.store = func(s oidc.Store) oidc.Store { store.Store = s; return store }
	})
	f := newFAPI(e, "bank")
	for _, off := range []bool{false, true} {
		store.off = off
		want := map[bool]int{false: http.StatusCreated, true: http.StatusInternalServerError}[off]
		if r := f.push(request("bank")); r.status != want {
			t.Errorf("database away %v: %d %v", off, r.status, r.body)
		}
	}
	store.off = false
	once := f.authenticated(request("bank"))
	f.send(http.MethodPost, "/par", once)
	if r := f.send(http.MethodPost, "/par", once); r.status != http.StatusUnauthorized {
		t.Errorf("D06 the same assertion twice: %d %v", r.status, r.body)
	}
}
