package seals

import (
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// TestWhatTheKeysRefuseIsNoFault: a key that went with its seal, and an authority that ends before the seal would, are answers for people, not a 500.
func TestWhatTheKeysRefuseIsNoFault(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	k := Keys{keystest.New(t, func() time.Time { return at })}
	owner := sealvc.Owner{Code: "1199440000TRY002X9", Name: "沙箱省公安厅"}
	const life = 3 * 366 * day
	if _, err := k.EnsureSeal(t.Context(), "S-1", owner, life); err != nil {
		t.Fatal(err)
	}
	if s, err := k.Seal(t.Context(), "S-1"); err != nil || len(s.Chain) == 0 {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.DestroySeal(t.Context(), "S-1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Seal(t.Context(), "S-1"); !errors.Is(err, eseal.ErrNotActive) {
		t.Errorf("a key that was destroyed: %v", err)
	}
	at = at.Add(8 * 365 * day) // the intermediate lives for ten years
	if _, err := k.EnsureSeal(t.Context(), "S-2", owner, life); !errors.Is(err, eseal.ErrValidity) {
		t.Errorf("a seal that outlives its authority: %v", err)
	}
	if _, err := k.EnsureSeal(t.Context(), "S-2", owner, 365*day); err != nil {
		t.Errorf("a shorter one: %v", err)
	}
}
