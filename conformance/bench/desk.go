package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/report"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/counterstore"
	desk "github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// checks are as many as give ten ticks of the kernel's clock.
const checks = 300

var deskNonce = regexp.MustCompile(`id="counter-nonce">([^<]+)<`)

// deskBase is the department's address; nobody listens there.
const deskBase = "https://counter.hufu.test"

// openDesk opens a department's counter in this process, with the bundle of the server that was just measured.
func (b *bench) openDesk(ctx context.Context, db *sqlstore.DB) (*desk.Counter, error) {
	root, err := b.fetch(ctx, "/bundle/root.json")
	if err != nil {
		return nil, err
	}
	archive, err := b.fetch(ctx, "/bundle.zip")
	if err != nil {
		return nil, err
	}
	dir := bundlecopy.Dir(b.file("counter"))
	if _, _, err := dir.Install(root, archive, time.Now()); err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	name := web.Text{ZH: "样本窗口", EN: "Sample window"}
	pages, err := web.New(web.Config{Desk: &web.Desk{Base: desk.Path, Department: name}})
	if err != nil {
		return nil, err
	}
	nowhere := httpx.NewClient(httpx.ClientOptions{})
	return desk.New(ctx, desk.Config{BaseURL: deskBase, Department: name, ClientID: rpID, National: b.origin,
		Requests: []desk.Request{{Type: licenceType, Purpose: "full", Name: name}}, Store: counterstore.New(db), Tx: db.InTx, ClaimOnce: db.ClaimOnce, Lost: sqlstore.ErrLost,
		Audit: db.Audit, Pages: counterpages.Pages{Pages: pages}, Bundle: dir, Root: root, Shown: nowhere, BundleSource: nowhere})
}

// counterCheck measures that counter on SQLite: form, verdict, claim of the challenge, record, audit event, page.
func (b *bench) counterCheck(ctx context.Context) (report.Row, error) {
	row := report.Row{Name: "counter check", Operations: checks, Verifies: 2}
	say("%s", row.Name)
	db, err := sqlstore.Open(ctx, "sqlite:"+b.file("counter.db"))
	if err != nil {
		return row, err
	}
	defer db.Close()
	c, err := b.openDesk(ctx, db)
	if err != nil {
		return row, err
	}
	h, next := c.Handler(), 0
	answers := make([]string, checks)
	for i := range answers {
		page := httptest.NewRecorder()
		h.ServeHTTP(page, httptest.NewRequest(http.MethodGet, desk.Path, nil))
		nonce := deskNonce.FindStringSubmatch(page.Body.String())
		if nonce == nil {
			return row, fmt.Errorf("the counter's page has no nonce: %d", page.Code)
		}
		if answers[i], err = (wallet.Credential{Text: b.credential, Key: b.holder}).Present(deskBase+desk.Path, nonce[1], time.Now()); err != nil {
			return row, err
		}
	}
	row.ServerUS, err = cost.Own(checks, func() error {
		r := httptest.NewRequest(http.MethodPost, desk.Path+"/check", strings.NewReader(url.Values{"input": {answers[next]}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", deskBase)
		w := httptest.NewRecorder()
		next++
		if h.ServeHTTP(w, r); !strings.Contains(w.Body.String(), `data-verdict="valid"`) {
			return fmt.Errorf("the counter answered %d", w.Code)
		}
		return nil
	})
	return row, err
}
