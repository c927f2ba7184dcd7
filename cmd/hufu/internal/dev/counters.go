package dev

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/countercmd"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
)

// counterRequests are what the counters of the sample departments ask for.
var counterRequests = map[sample.DepartmentKind][]countercmd.RequestConfig{
	sample.TrafficPolice: {
		{Type: "driving-licence", Purpose: "driving-check", Name: web.Text{ZH: "驾驶检查", EN: "Driving check"}},
		{Type: "driving-licence", Purpose: "full", Name: web.Text{ZH: "全部内容", EN: "Everything"}},
	},
	sample.MarketRegulation: {
		{Type: "driving-licence", Purpose: "age", Name: web.Text{ZH: "核对年龄", EN: "Age check"}},
		{Type: "driving-licence", Purpose: "hotel", Name: web.Text{ZH: "住宿登记", EN: "Hotel check-in"}},
	},
}

// openCounters opens a counter at each department, by the code of hufu counter: its own database, its own copy of the trust bundle.
func (w *World) openCounters(ctx context.Context, allow func(netip.AddrPort) bool) error {
	// The first bundle makes the root, which a real department gets on paper.
	if err := w.node.Publish(ctx); err != nil {
		return err
	}
	root, err := w.node.TrustRoot(ctx)
	if err != nil {
		return err
	}
	every := 2 * time.Second
	for _, d := range w.sample.Departments {
		dir := filepath.Join(w.dir, "counter-"+string(d.Kind))
		if err := forgetOtherWorld(dir, root); err != nil {
			return err
		}
		c, err := countercmd.Open(ctx, countercmd.Config{BaseURL: w.origin(d.Port), Department: web.Text{ZH: d.Name, EN: d.English}, Code: d.Code, ClientID: d.ClientID,
			National: w.origin(0), Database: "sqlite:" + dir + ".db", BundleDir: dir, Refresh: &every, Requests: counterRequests[d.Kind],
			Purposes: []string{"driving-check", "hotel", "age", "full", counter.Chosen}, Sandbox: true}, root, allow, w.opts.Log)
		if err != nil {
			return err
		}
		w.counters = append(w.counters, c)
		w.handlers[d.Port] = beside(c.Handler(), w.handlers[d.Port])
	}
	return nil
}

// forgetOtherWorld removes a copy that another sample world left, as when its database was thrown away. A real counter never does that: it would be a way around
// the memory of what was seen.
func forgetOtherWorld(dir string, root []byte) error {
	_, err := bundlecopy.Dir(dir).Load(root, time.Now())
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, bundle.ErrExpired) {
		return nil
	}
	return os.RemoveAll(dir)
}

// startCounters gives every counter its first bundle, so that it can check when the world is ready.
func (w *World) startCounters(ctx context.Context) error {
	for _, c := range w.counters {
		if err := c.Refresh(ctx); err != nil {
			return err
		}
		c.Start(ctx)
	}
	return nil
}

// beside puts the counter and the department's own pages under one listener.
func beside(counterPages, department http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == counter.Path || strings.HasPrefix(r.URL.Path, counter.Path+"/") {
			counterPages.ServeHTTP(w, r)
			return
		}
		department.ServeHTTP(w, r)
	})
}
