package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/report"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify"
)

// offline measures the pure verifier on a credential and a trust bundle of the server that was just measured. Chain and status
// list are remembered, as on a counter that checks one licence after the other.
func (b *bench) offline(ctx context.Context) ([]report.Row, error) {
	root, err := b.fetch(ctx, "/bundle/root.json")
	if err != nil {
		return nil, err
	}
	archive, err := b.fetch(ctx, "/bundle.zip")
	if err != nil {
		return nil, err
	}
	at := time.Now()
	contents, err := bundle.Verify(root, archive, at)
	if err != nil {
		return nil, err
	}
	const audience, nonce = "https://counter.hufu.test", "0123456789abcdef"
	bound, err := wallet.Credential{Text: b.credential, Key: b.holder}.Present(audience, nonce, at)
	if err != nil {
		return nil, err
	}
	parsed, err := sdjwt.Parse(b.credential)
	if err != nil {
		return nil, err
	}
	v := verify.New(contents, verify.Policy{})
	claims := len(parsed.Disclosed())
	var rows []report.Row
	for _, c := range []struct {
		row  report.Row
		text string
		c    verify.Challenge
	}{
		{report.Row{Name: fmt.Sprintf("offline verify, %d disclosures", claims), Verifies: 1, GoalRatio: 2}, b.credential, verify.Challenge{HolderAny: true}},
		{report.Row{Name: "offline verify with key binding", Verifies: 2, GoalRatio: 2}, bound, verify.Challenge{Nonce: nonce, Audience: audience}},
	} {
		say("%s", c.row.Name)
		c.row.Operations = cost.Rounds
		if c.row.ServerUS, err = cost.Own(cost.Rounds, func() error {
			if got := v.Verify(c.text, c.c, at); got.Outcome() != verify.Valid {
				return fmt.Errorf("the verdict is %s: %s", got.Outcome(), got.Reason())
			}
			return nil
		}); err != nil {
			return nil, err
		}
		rows = append(rows, c.row)
	}
	row, err := b.counterCheck(ctx)
	return append(rows, row), err
}

func (b *bench) fetch(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.origin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := b.http.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", path, res.StatusCode)
	}
	return io.ReadAll(res.Body)
}
