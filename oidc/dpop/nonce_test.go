package dpop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
)

func TestNonceIsGoodForTwoWindowsOnEveryNode(t *testing.T) {
	secret := []byte("one secret for all the nodes....")
	here, there, stranger := dpop.NewNonces(secret), dpop.NewNonces(secret), dpop.NewNonces([]byte("another"))
	start := at.Truncate(5 * time.Minute)
	nonce := here.Current(start)
	for d, want := range map[time.Duration]bool{0: true, 5*time.Minute - 1: true, 5 * time.Minute: true, 10*time.Minute - 1: true, 10 * time.Minute: false, time.Hour: false,
		-time.Second: true, -6 * time.Minute: false} { // a node whose clock is behind
		if got := there.Valid(nonce, start.Add(d)); got != want {
			t.Errorf("after %v: %v", d, got)
		}
	}
	for _, wrong := range []string{"", nonce + "A", nonce[1:], stranger.Current(start)} {
		if there.Valid(wrong, start) {
			t.Errorf("%q is good", wrong)
		}
	}
}

func TestProofWithNonce(t *testing.T) {
	key, _ := dpoptest.NewKey(t)
	nonces := dpop.NewNonces(make([]byte, 32))
	fresh, old := nonces.Current(at), nonces.Current(at.Add(-time.Hour))
	const ago = -3 * time.Minute
	cases := []struct {
		name    string
		nonce   any
		iat     time.Duration
		known   bool
		require bool
		want    error
	}{
		{"none, none known", nil, 0, false, false, nil},
		{"none, none needed", nil, 0, true, false, nil},
		{"none, one needed", nil, 0, true, true, dpop.ErrUseNonce},
		{"one needed, none known", fresh, 0, false, true, dpop.ErrUseNonce},
		{"fresh", fresh, 0, true, true, nil},
		{"fresh, not needed", fresh, 0, true, false, nil},
		{"old", old, 0, true, true, dpop.ErrUseNonce},
		{"old, not needed", old, 0, true, false, dpop.ErrUseNonce},
		{"of somebody else, none known", "theirs", 0, false, false, nil},
		{"a number", 7, 0, true, true, dpop.ErrProof},
		{"fresh, clock behind", fresh, ago, true, true, nil},
		{"fresh, clock ahead", fresh, -ago, true, true, nil},
		{"fresh, clock 5 minutes behind", fresh, -5 * time.Minute, true, true, nil},
		{"fresh, clock further behind", fresh, -5*time.Minute - time.Second, true, true, dpop.ErrProof},
		{"fresh, clock an hour ahead", fresh, time.Hour, true, true, dpop.ErrProof},
		{"none, clock behind: try again with one", nil, ago, true, false, dpop.ErrUseNonce},
		{"none, clock behind, none known", nil, ago, false, false, dpop.ErrProof},
		{"none, clock an hour behind", nil, -time.Hour, true, false, dpop.ErrProof},
		{"none, one needed, clock an hour behind: none would help", nil, -time.Hour, true, true, dpop.ErrProof},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			claims := dpoptest.Claims("GET", resource, token, at.Add(c.iat))
			set(claims, "nonce", c.nonce)
			e := expect()
			if e.RequireNonce = c.require; c.known {
				e.Nonces = nonces
			}
			if _, err := dpop.Verify([]string{dpoptest.Sign(t, key, claims)}, e); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	// A proof that is wrong otherwise isn't told to try again.
	e := expect()
	e.Nonces, e.RequireNonce, e.Method = nonces, true, "POST"
	if _, err := dpop.Verify([]string{dpoptest.Proof(t, key, "GET", resource, token, at)}, e); !errors.Is(err, dpop.ErrProof) || errors.Is(err, dpop.ErrUseNonce) {
		t.Error(err)
	}
}
