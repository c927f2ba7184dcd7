package counter

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// maxImport bounds an uploaded bundle and the form around it.
const maxImport = bundle.MaxArchive + 64<<10

// trust is the counter's own copy of the trust bundle and what it knows about it. Other nodes of the counter have copies of their own.
type trust struct {
	installing sync.Mutex // one installation at a time
	current    atomic.Pointer[copyInUse]
	last       atomic.Pointer[attempt]
	etag       atomic.Pointer[string]
}

// copyInUse is a bundle with its verifier, which remembers chains and lists.
type copyInUse struct {
	contents *bundle.Contents // nil without a bundle
	verifier *verify.Verifier
}

// attempt is how the last fetch or import ended: "" is well.
type attempt struct {
	at      time.Time
	trouble string
}

func (t *trust) verifier() *verify.Verifier { return t.current.Load().verifier }

func (t *trust) contents() *bundle.Contents { return t.current.Load().contents }

// load reads the directory. A copy that can't be believed is as good as none: the page says so, and every verdict is "cannot tell".
func (t *trust) load(c *Counter) {
	contents, err := c.cfg.Bundle.Load(c.cfg.Root, c.cfg.Now())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.last.Store(&attempt{c.cfg.Now(), trouble(err)})
		c.cfg.Log.Warn("counter: the trust bundle", slog.Any("error", err))
	}
	t.use(c, contents)
}

func (t *trust) use(c *Counter, contents *bundle.Contents) {
	t.current.Store(&copyInUse{contents, verify.New(contents, verify.Policy{NewestSeen: c.cfg.Bundle.NewestSeen()})})
}

// install verifies and installs, and goes over to what was installed.
func (c *Counter) install(ctx context.Context, archive []byte) (same bool, err error) {
	c.trust.installing.Lock()
	defer c.trust.installing.Unlock()
	contents, same, err := c.cfg.Bundle.Install(c.cfg.Root, archive, c.cfg.Now())
	c.trust.last.Store(&attempt{c.cfg.Now(), trouble(err)})
	if err != nil {
		return false, err
	}
	// hufu bundle install may have put it there beside us: what counts is what this process uses.
	if used := c.trust.contents(); same && used != nil && used.Digest == contents.Digest {
		return true, nil
	}
	c.trust.use(c, contents)
	return same, nil
}

// Refresh fetches the bundle if there is a newer one. It is safe to run at any time; after an error the counter goes on with the bundle that it has.
func (c *Counter) Refresh(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.National+"/bundle.zip", nil)
	if err != nil {
		return err
	}
	if etag := c.trust.etag.Load(); etag != nil && c.trust.contents() != nil {
		req.Header.Set("If-None-Match", *etag)
	}
	resp, err := c.cfg.BundleSource.Do(req)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err // a clerk who closed the page says nothing about the national server
	}
	switch {
	case err != nil:
	case resp.Status == http.StatusNotModified:
		c.trust.last.Store(&attempt{c.cfg.Now(), ""})
		return nil
	case resp.Status != http.StatusOK:
		err = httpx.ErrUnreachable
	default:
		if _, err := c.install(ctx, resp.Body); err != nil {
			return err
		}
		etag := resp.Header.Get("ETag")
		c.trust.etag.Store(&etag)
		return nil
	}
	c.trust.last.Store(&attempt{c.cfg.Now(), trouble(err)})
	return err
}

// trouble names the sentence for an error of fetching or installing; "" for none.
func trouble(err error) string {
	for _, t := range []struct {
		err  error
		name string
	}{
		{bundle.ErrRoot, "root"}, {bundlecopy.ErrNoRoot, "root"}, {bundle.ErrTooLarge, "malformed"}, {bundle.ErrMalformed, "malformed"},
		{bundle.ErrUntrusted, "untrusted"}, {bundle.ErrExpired, "expired"}, {bundle.ErrClockBehind, "clock"}, {bundle.ErrRollback, "older"},
		{httpx.ErrUnreachable, "unreachable"}, {httpx.ErrURL, "unreachable"}, {httpx.ErrAddress, "unreachable"}, {httpx.ErrAnswer, "unreachable"},
	} {
		if errors.Is(err, t.err) {
			return t.name
		}
	}
	if err != nil {
		return "disk"
	}
	return ""
}

func troubleText(name string) web.Text { return web.Say("counter.trouble."+name, nil) }

// warning is for the page that asks: what every verdict will suffer from.
func (t *trust) warning(now time.Time) web.Text {
	tone, said := t.judge(now)
	if tone == web.ToneOK {
		return web.Text{}
	}
	return said
}

// judge says in one sentence how fit the bundle is.
func (t *trust) judge(now time.Time) (web.Tone, web.Text) {
	b := t.contents()
	switch {
	case b == nil:
		return web.ToneBad, web.Say("counter.trust.none", nil)
	case now.Sub(b.AsOf) < -bundle.ClockLeeway:
		return web.ToneBad, web.Say("counter.trust.clock", nil)
	case !now.Before(b.Expires):
		return web.ToneBad, web.Say("counter.trust.expired", nil)
	}
	if a := t.last.Load(); a != nil && a.trouble != "" {
		return web.ToneWarn, web.Say("counter.trust.offline", web.Args{"at": counterpages.Stamp(b.AsOf)})
	}
	return web.ToneOK, web.Say("counter.trust.ok", nil)
}

func (c *Counter) bundlePage(w http.ResponseWriter, r *http.Request) {
	c.showBundle(w, r, http.StatusOK, web.Text{}, "")
}

func (c *Counter) showBundle(w http.ResponseWriter, r *http.Request, status int, result web.Text, tone web.Tone) {
	page := counterpages.BundlePage{Result: result, ResultTone: tone, Refresh: Path + "/bundle/refresh", Import: Path + "/bundle/import", CSRF: c.formToken(), Base: Path}
	page.Tone, page.Said = c.trust.judge(c.cfg.Now())
	fact := func(label, value web.Text) { page.Facts = append(page.Facts, web.Fact{Label: label, Value: value}) }
	if b := c.trust.contents(); b != nil {
		fact(web.Say("counter.bundle.version", nil), web.Say("counter.bundle.version.value", web.Args{"n": plainInt(b.Version)}))
		fact(web.Say("counter.bundle.asof", nil), counterpages.Stamp(b.AsOf))
		fact(web.Say("counter.bundle.expires", nil), counterpages.Stamp(b.Expires))
		fact(web.Say("counter.bundle.holds", nil), web.Say("counter.bundle.holds.value", web.Args{"issuers": plainInt(int64(len(b.Issuers))), "lists": plainInt(int64(len(b.StatusLists)))}))
		page.Fingerprint = b.RootFingerprint
	}
	fact(web.Say("counter.bundle.from", nil), web.Plain(c.cfg.National+"/bundle.zip"))
	if a := c.trust.last.Load(); a != nil {
		how := web.Say("counter.fetch.ok", web.Args{"at": counterpages.Stamp(a.at)})
		if a.trouble != "" {
			how = web.Say("counter.fetch.failed", web.Args{"at": counterpages.Stamp(a.at), "why": troubleText(a.trouble)})
		}
		fact(web.Say("counter.bundle.last", nil), how)
	}
	fact(web.Say("counter.bundle.clock", nil), counterpages.Stamp(c.cfg.Now()))
	c.cfg.Pages.Bundle(w, r, status, page)
}

func (c *Counter) bundleRefresh(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := c.form(w, r); !ok {
		return
	}
	before := c.trust.contents()
	if err := c.Refresh(r.Context()); err != nil {
		c.showBundle(w, r, http.StatusOK, troubleText(trouble(err)), web.ToneWarn)
		return
	}
	c.installed(w, r, before)
}

func (c *Counter) bundleImport(w http.ResponseWriter, r *http.Request) {
	_, files, ok := c.form(w, r)
	if !ok {
		return
	}
	if len(files["bundle"]) == 0 {
		c.showBundle(w, r, http.StatusBadRequest, web.Say("counter.trouble.nofile", nil), web.ToneWarn)
		return
	}
	before := c.trust.contents()
	if _, err := c.install(r.Context(), files["bundle"]); err != nil {
		c.cfg.Log.WarnContext(r.Context(), "counter: import refused", slog.Any("error", err))
		c.showBundle(w, r, http.StatusUnprocessableEntity, troubleText(trouble(err)), web.ToneBad)
		return
	}
	c.installed(w, r, before)
}

// installed says what changed, and keeps an event of what a person did.
func (c *Counter) installed(w http.ResponseWriter, r *http.Request, before *bundle.Contents) {
	now := c.trust.contents()
	if now == before {
		c.showBundle(w, r, http.StatusOK, web.Say("counter.same", nil), web.ToneOK)
		return
	}
	if err := c.cfg.Audit(r.Context(), audit.Event{Kind: "counter.bundle_installed", Actor: c.cfg.Code, Subject: now.Digest}); err != nil {
		c.fault(w, r, err)
		return
	}
	c.showBundle(w, r, http.StatusOK, web.Say("counter.installed", web.Args{"n": plainInt(now.Version)}), web.ToneOK)
}
