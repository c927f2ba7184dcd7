package counter_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/counter"
)

func (w *world) imports(zip []byte) page {
	return w.post(counter.Path+"/bundle/import", nil, map[string][]byte{"bundle": zip})
}

// TestR02NeverAnOlderBundle: not by upload, not by the national server, not by a file put into the directory.
func TestR02NeverAnOlderBundle(t *testing.T) {
	w := newWorld(t, sqlite(t))
	first := w.zip
	w.In.Issuers[0].Name["en"] = "Renamed"
	second := w.Publish(w.now)
	if p := w.imports(second); p.code != http.StatusOK || !strings.Contains(p.body, "第 2 版") {
		t.Fatalf("a newer one: %d", p.code)
	}
	if p := w.imports(first); p.code != http.StatusUnprocessableEntity || !strings.Contains(p.body, "比现在的旧") {
		t.Errorf("R02 an older one by upload: %d", p.code)
	}
	w.open()
	if err := w.counter.Refresh(context.Background()); err == nil { // the national server still has the first
		t.Error("R02 an older one from the national server was taken")
	}
	if !strings.Contains(w.get(counter.Path+"/bundle").body, "第 2 版") {
		t.Error("the second one isn't in use any more")
	}
	w.expect("and it works", w.check(w.present()), "valid", "ok")
	must(t, os.WriteFile(filepath.Join(string(w.dir), bundlecopy.BundleFile), first, 0o600))
	w.open()
	w.expect("R02 an older one in the directory", w.check(w.present()), "cannot_tell", "no_bundle")
	if p := w.imports(second); p.code != http.StatusOK {
		t.Errorf("the way back: %d", p.code)
	}
	w.expect("after it", w.check(w.present()), "valid", "ok")
}

// TestR01R06ClockAndExpiry: an old bundle or a wrong clock never gives "valid", and the page says which it is.
func TestR01R06ClockAndExpiry(t *testing.T) {
	for _, x := range []struct {
		name, reason, said string
		by                 time.Duration
	}{
		{"the twin", "ok", "可以核验", 0},
		{"R01 past its expiry", "stale_bundle", "已过期", 8 * 24 * time.Hour},
		{"R06 ten years ahead", "stale_bundle", "已过期", 10 * 365 * 24 * time.Hour},
		{"R06 ten years behind", "clock_before_bundle", "时钟", -10 * 365 * 24 * time.Hour},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, sqlite(t))
			licence, begin := w.issue(nil), w.time()
			w.set(begin.Add(x.by))
			p := w.check(w.bind(licence, aud, w.nonce()))
			if x.reason == "ok" {
				w.expect(x.name, p, "valid", "ok")
			} else if v := p.verdict(); v == "valid" {
				t.Errorf("%s", v)
			}
			if !strings.Contains(w.get(counter.Path+"/bundle").body, x.said) {
				t.Errorf("the bundle page doesn't say %s", x.said)
			}
			if x.by != 0 && !strings.Contains(w.get(counter.Path).body, x.said) {
				t.Errorf("the asking page doesn't say %s", x.said)
			}
		})
	}
}

func TestImportRefusesJunk(t *testing.T) {
	w := newWorld(t, sqlite(t))
	stranger := newWorld(t, sqlite(t))
	for name, x := range map[string]struct {
		zip  []byte
		code int
		said string
	}{
		"nothing":             {nil, http.StatusBadRequest, "还没有选文件"},
		"R07 junk":            {[]byte("junk"), http.StatusUnprocessableEntity, "不是信任包"},
		"R04 another root's":  {stranger.zip, http.StatusUnprocessableEntity, "不是由国家信任根签署"},
		"its twin, our own":   {w.zip, http.StatusOK, "没有变化"},
		"R07 cut in the half": {w.zip[:len(w.zip)/2], http.StatusUnprocessableEntity, "不是信任包"},
	} {
		if p := w.imports(x.zip); p.code != x.code || !strings.Contains(p.body, x.said) {
			t.Errorf("%s: %d", name, p.code)
		}
	}
	w.expect("nothing of that harmed", w.check(w.present()), "valid", "ok")
}

// TestInstalledBesideUs: hufu bundle install writes the same directory; the next fetch makes the counter use it.
func TestInstalledBesideUs(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.In.StatusLists[trusttest.List] = w.StatusList(w.now, statuslist.Entry{Index: trusttest.Index, Value: statuslist.Invalid})
	w.zip = w.Publish(w.now)
	_, _, err := w.dir.Install(nil, w.zip, w.now)
	must(t, err)
	must(t, w.counter.Refresh(context.Background()))
	w.expect("revoked by the new one", w.check(w.present()), "invalid", "revoked")
}

// TestFirstBundleByHand: a counter without any network starts empty and says so.
func TestFirstBundleByHand(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.setDown(true)
	w.dir = bundlecopy.Dir(t.TempDir())
	w.open()
	w.expect("before", w.check(w.present()), "cannot_tell", "no_bundle")
	if body := w.get(counter.Path).body; !strings.Contains(body, "没有信任包") {
		t.Error("the asking page doesn't say that there is none")
	}
	if p := w.imports(w.zip); p.code != http.StatusOK {
		t.Fatalf("import: %d", p.code)
	}
	w.expect("after", w.check(w.present()), "valid", "ok")
}

// TestOldKnowledgeIsSaid: valid by an old list is valid, with a warning.
func TestOldKnowledgeIsSaid(t *testing.T) {
	w := newWorld(t, sqlite(t))
	begin := w.time()
	for _, x := range []struct {
		after time.Duration
		warns bool
	}{{time.Hour, false}, {30 * time.Hour, true}} {
		w.set(begin.Add(x.after))
		p := w.check(w.present())
		w.expect(x.after.String(), p, "valid", "ok")
		if strings.Contains(p.body, "名单有些旧") != x.warns {
			t.Errorf("%s: warns %v", x.after, !x.warns)
		}
	}
}
