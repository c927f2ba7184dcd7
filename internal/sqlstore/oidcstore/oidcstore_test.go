package oidcstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/session"
)

func TestCodeMovesOnlyForward(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db, nil)
		ev := audit.Event{Kind: "oidc.test"}
		put := func(id string) {
			t.Helper()
			g := grant.Grant{ID: id, Type: "authorization_code", ClientID: "c", CodeSignature: "sig-" + id, CodeState: grant.Issued, CodeExpires: now.Add(time.Minute),
				CreatedAt: now, AuthTime: now, Scopes: []string{"openid"}, Nonce: "数"}
			if err := s.PutGrant(ctx, g, ev); err != nil {
				t.Fatal(err)
			}
			got, err := s.GrantByCode(ctx, "sig-"+id)
			if err != nil || got.ID != id || !got.AuthTime.Equal(now) || got.Nonce != "数" || got.CodeState != grant.Issued || !got.RevokedAt.IsZero() {
				t.Fatalf("read back: %+v %v", got, err)
			}
		}
		lost := func(name string, err error) {
			t.Helper()
			if !errors.Is(err, grant.ErrLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
		ok := func(name string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		put("a")
		lost("expired", s.ClaimCode(ctx, "sig-a", now.Add(time.Minute), grant.Redemption{TokensExpire: now}, ev))
		ok("in time", s.ClaimCode(ctx, "sig-a", now.Add(59*time.Second), grant.Redemption{TokensExpire: now.Add(time.Hour)}, ev))
		lost("again", s.ClaimCode(ctx, "sig-a", now, grant.Redemption{TokensExpire: now}, ev))
		lost("burn a used one", s.BurnCode(ctx, "sig-a", ev))
		put("b")
		ok("burn", s.BurnCode(ctx, "sig-b", ev))
		lost("claim a burnt one", s.ClaimCode(ctx, "sig-b", now, grant.Redemption{TokensExpire: now}, ev))
		put("c")
		ok("revoke", s.Revoke(ctx, "c", now, ev))
		ok("revoke again", s.Revoke(ctx, "c", now.Add(time.Hour), ev))
		lost("claim of a revoked grant", s.ClaimCode(ctx, "sig-c", now, grant.Redemption{TokensExpire: now}, ev))
		if g, err := s.Grant(ctx, "c"); err != nil || !g.RevokedAt.Equal(now) {
			t.Errorf("revoked at %v, %v", g.RevokedAt, err)
		}
		if n, err := s.DeleteExpired(ctx, now.Add(time.Minute+time.Second), 100); n != 2 || err != nil {
			t.Errorf("deleted %d, %v: only b and c have ended", n, err)
		}
		if _, err := s.Grant(ctx, "a"); err != nil {
			t.Errorf("a living grant is gone: %v", err)
		}
		if _, err := s.Grant(ctx, "b"); !errors.Is(err, grant.ErrUnknown) {
			t.Errorf("b: %v", err)
		}
	})
}

func TestRefreshTokensMoveOnlyForward(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
		s, ev := New(db, nil), audit.Event{Kind: "oidc.test"}
		g := grant.Grant{ID: "g", Type: "authorization_code", ClientID: "c", CodeSignature: "sig", CodeState: grant.Issued, CodeExpires: now.Add(time.Minute),
			CreatedAt: now, Province: "440000", Session: "s", Offline: true}
		expect := func(name string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
		at := func(d time.Duration) time.Time { return now.Add(d) }
		expect("put", s.PutGrant(ctx, g, ev), nil)
		expect("before the code", s.Refresh(ctx, "g", grant.Use{Generation: 0, At: now, TokensExpire: at(time.Minute), Rotate: true}, ev), grant.ErrLost)
		expect("claim", s.ClaimCode(ctx, "sig", now, grant.Redemption{TokensExpire: at(time.Minute), RefreshExpires: at(time.Hour), RefreshKey: "k"}, ev), nil)
		expect("the next one", s.Refresh(ctx, "g", grant.Use{Generation: 1, At: now, TokensExpire: at(time.Minute), Rotate: true}, ev), grant.ErrLost)
		expect("in place", s.Refresh(ctx, "g", grant.Use{Generation: 0, At: at(time.Minute), TokensExpire: at(2 * time.Minute), Rotate: false}, ev), nil)
		got, err := s.Grant(ctx, "g")
		if err != nil || got.RefreshGeneration != 0 || !got.RefreshAt.Equal(now) || !got.RefreshExpires.Equal(at(time.Hour)) || got.RefreshKey != "k" ||
			!got.ExpiresAt.Equal(at(2*time.Minute)) || got.Province != "440000" || got.Session != "s" || !got.Offline {
			t.Errorf("after a use in place: %+v %v", got, err)
		}
		expect("rotate", s.Refresh(ctx, "g", grant.Use{Generation: 0, At: at(2 * time.Minute), TokensExpire: at(time.Minute), Rotate: true}, ev), nil)
		expect("again", s.Refresh(ctx, "g", grant.Use{Generation: 0, At: at(2 * time.Minute), TokensExpire: at(time.Minute), Rotate: true}, ev), grant.ErrLost)
		if got, err := s.Grant(ctx, "g"); err != nil || got.RefreshGeneration != 1 || !got.RefreshAt.Equal(at(2*time.Minute)) || !got.ExpiresAt.Equal(at(2*time.Minute)) {
			t.Errorf("after a rotation: %+v %v", got, err)
		}
		expect("at the end", s.Refresh(ctx, "g", grant.Use{Generation: 1, At: at(time.Hour), TokensExpire: at(time.Minute), Rotate: true}, ev), grant.ErrLost)
		if n, err := s.DeleteExpired(ctx, at(time.Hour-time.Second), 10); n != 0 || err != nil {
			t.Errorf("deleted %d, %v: the family has not ended", n, err)
		}
		expect("revoke", s.Revoke(ctx, "g", at(3*time.Minute), ev), nil)
		expect("revoked", s.Refresh(ctx, "g", grant.Use{Generation: 1, At: at(4 * time.Minute), TokensExpire: at(time.Minute), Rotate: true}, ev), grant.ErrLost)
	})
}

// The grant of an offer has no code, and its end moves with use, never back.
func TestRenewalMovesTheEnd(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
		s, ev := New(db, nil), audit.Event{Kind: "oidc.test"}
		at := func(d time.Duration) time.Time { return now.Add(d) }
		g := grant.Grant{ID: "g", Type: "pre", ClientID: "c", OfferID: "o", CreatedAt: now, ExpiresAt: at(time.Minute), RefreshAt: now, RefreshExpires: at(time.Hour),
			RefreshKey: "k", RefreshIdle: time.Hour, RefreshEnds: at(90 * time.Minute)}
		none := grant.Grant{ID: "none", Type: "pre", CreatedAt: now, ExpiresAt: at(time.Minute)}
		for _, g := range []grant.Grant{g, none} {
			if err := s.PutGrant(ctx, g, ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Refresh(ctx, "none", grant.Use{At: now, TokensExpire: now}, ev); !errors.Is(err, grant.ErrLost) {
			t.Errorf("a grant without refresh tokens: %v", err)
		}
		for _, c := range []struct{ at, end, want time.Duration }{
			{30 * time.Minute, 90 * time.Minute, 90 * time.Minute},
			{31 * time.Minute, 40 * time.Minute, 90 * time.Minute},
		} {
			if err := s.Refresh(ctx, "g", grant.Use{At: at(c.at), TokensExpire: at(c.at), RefreshExpires: at(c.end)}, ev); err != nil {
				t.Fatal(err)
			}
			got, err := s.Grant(ctx, "g")
			if err != nil || !got.RefreshExpires.Equal(at(c.want)) || got.RefreshIdle != time.Hour || !got.RefreshEnds.Equal(g.RefreshEnds) || got.RefreshKey != "k" {
				t.Errorf("%+v %v", got, err)
			}
		}
	})
}

func TestSessionReplacesAndNeverGoesBack(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db, nil)
		one := session.Session{Key: "k1", PersonID: "p", AMR: []string{"pwd"}, AuthTime: now, CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(time.Hour)}
		two := one
		two.Key = "k2"
		ev := audit.Event{Kind: "oidc.test"}
		for _, err := range []error{s.PutSession(ctx, one, "", ev), s.PutSession(ctx, two, "k1", ev), s.UseSession(ctx, "k2", now.Add(time.Minute)),
			s.UseSession(ctx, "k2", now)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Session(ctx, "k1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("the replaced session: %v", err)
		}
		if got, err := s.Session(ctx, "k2"); err != nil || !got.UsedAt.Equal(now.Add(time.Minute)) {
			t.Errorf("used at %v, %v", got.UsedAt, err)
		}
		for _, want := range []bool{true, false} {
			if ended, err := s.EndSession(ctx, "k2", ev); ended != want || err != nil {
				t.Errorf("ended %v, %v", ended, err)
			}
		}
		if err := s.UseSession(ctx, "k2", now); !errors.Is(err, session.ErrNone) {
			t.Errorf("use of an ended session: %v", err)
		}
	})
}
