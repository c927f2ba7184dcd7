package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sample"
)

// sealers are the clients that work with seals: two people of the maker, and the owner's.
var sealers = []struct{ id, organisation string }{{"bench-maker-1", sample.SealMakerCode}, {"bench-maker-2", sample.SealMakerCode}, {"bench-owner", sample.TrafficPoliceCode}}

// sealToken is a token of one of them. Each has a secret of its own: a seal needs two people.
func (b *bench) sealToken(ctx context.Context, id string) (string, error) {
	return b.token(ctx, id, b.secret+id, url.Values{"grant_type": {"client_credentials"}, "scope": {"seal"}})
}

// sealing issues a seal and returns what seals one digest with it: use recorded, then signed.
func (b *bench) sealing(ctx context.Context) (func(context.Context, int) error, error) {
	tokens := make([]string, len(sealers))
	for i, s := range sealers {
		var err error
		if tokens[i], err = b.sealToken(ctx, s.id); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(map[string]any{"operation": "issue", "issue": map[string]any{"owner": map[string]any{"code": sample.TrafficPoliceCode, "name": "交管局"},
		"kind": "99", "name": "测量专用章", "document_kinds": []string{"approval"}, "valid_to": time.Now().AddDate(1, 0, 0).Format(time.DateOnly)}})
	if err != nil {
		return nil, err
	}
	var asked struct{ ID string }
	if err := b.call(ctx, http.MethodPost, "/seals/v1/requests", "application/json", string(body), bearer(tokens[0]), &asked); err != nil {
		return nil, err
	}
	var made struct{ Seal string }
	if err := b.call(ctx, http.MethodPost, "/seals/v1/requests/"+asked.ID+"/approve", "application/json", "", bearer(tokens[1]), &made); err != nil {
		return nil, err
	}
	return func(ctx context.Context, i int) error {
		return b.call(ctx, http.MethodPost, "/seals/v1/seals/"+made.Seal+"/sign", "application/json",
			fmt.Sprintf(`{"request_id":%q,"sha256":"%064x"}`, rand.Text(), i+1), bearer(tokens[2]), nil)
	}, nil
}

var (
	walletLicence = regexp.MustCompile(`href="/wallet/licences/([A-Za-z0-9._-]+)"`)
	hiddenField   = regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`)
)

// showing takes everybody's licence into her hosted wallet and returns what shows one: preview, confirmation, and the page with the QR.
func (b *bench) showing(ctx context.Context) (func(context.Context, int) error, error) {
	type holder struct {
		w       *browser
		licence string
	}
	free := make(chan holder, len(b.browsers))
	for _, w := range b.browsers {
		p, err := w.do(ctx, http.MethodGet, b.origin+"/wallet", "")
		if err != nil {
			return nil, err
		}
		licence := walletLicence.FindStringSubmatch(p.body)
		token := csrf.FindStringSubmatch(p.body)
		if licence == nil || token == nil {
			return nil, fmt.Errorf("the wallet answered %d without a licence to take", p.status)
		}
		form := url.Values{"csrf": {html.UnescapeString(token[1])}, "licence": {licence[1]}}
		if p, err = w.do(ctx, http.MethodPost, b.origin+"/wallet/take", form.Encode()); err != nil || p.status != http.StatusSeeOther {
			return nil, errors.Join(err, fmt.Errorf("taking answered %d", p.status))
		}
		free <- holder{w, licence[1]}
	}
	return func(ctx context.Context, _ int) error {
		h := <-free
		defer func() { free <- h }()
		return h.w.show(ctx, b.origin+"/wallet/licences/"+h.licence+"/show")
	}, nil
}

// show shows the whole licence without being asked.
func (w *browser) show(ctx context.Context, address string) error {
	p, err := w.do(ctx, http.MethodGet, address+"?preset=full", "")
	if err != nil {
		return err
	}
	i := strings.Index(p.body, `<form method="post"`)
	if i < 0 {
		return fmt.Errorf("the preview answered %d: %.300s", p.status, p.body)
	}
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(p.body[i:], -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	if p, err = w.do(ctx, http.MethodPost, address, form.Encode()); err != nil {
		return err
	}
	if p, err = w.do(ctx, http.MethodGet, p.url.String(), ""); err != nil {
		return err
	}
	if !strings.Contains(p.body, `id="shown-presentation"`) {
		return fmt.Errorf("what is shown answered %d: %.300s", p.status, p.body)
	}
	return nil
}
