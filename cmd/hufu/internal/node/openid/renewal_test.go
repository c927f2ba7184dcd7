package openid_test

import (
	"testing"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/openid"
	"github.com/hufu-id/hufu/oidc/token"
)

func TestWalletRenewal(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		in   openid.Renewal
		want token.Renewal
		bad  bool
	}{
		{openid.Renewal{}, token.DefaultRenewal, false},
		{openid.Renewal{IdleDays: 30, MaxDays: 180}, token.Renewal{Idle: 30 * day, Max: 180 * day}, false},
		{openid.Renewal{MaxDays: 365}, token.DefaultRenewal, false},
		{in: openid.Renewal{MaxDays: 366}, bad: true},
		{in: openid.Renewal{IdleDays: -1}, bad: true},
		{in: openid.Renewal{IdleDays: 1 << 40}, bad: true},
	} {
		said := 0
		openid.Config{WalletRenewal: c.in}.Check(func(string, ...any) { said++ })
		if (said > 0) != c.bad || !c.bad && c.in.Lives() != c.want {
			t.Errorf("%+v: %d problems, %+v", c.in, said, c.in.Lives())
		}
	}
}
