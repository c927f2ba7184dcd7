package hosted_test

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// TestAPersonTakesShowsAndStops walks as a person without JavaScript, on the binary.
func TestAPersonTakesShowsAndStops(t *testing.T) {
	app := apptest.Start(t, apptest.Options{})
	b := apptest.NewBrowser(t)
	page := b.Get(app.Ready.Issuer + "/wallet").LogIn(app.Person("li-xiuying"))
	if !strings.HasSuffix(page.URL.Path, "/wallet") {
		t.Fatalf("after the login: %s", page)
	}
	page = page.Click("take-driving-licence").Click("show-driving-licence").Click("show-confirm")
	text := strings.TrimSpace(page.TextOf("shown-presentation"))
	if strings.Count(text, "~") < 2 || !page.Has("shown-link") {
		t.Fatalf("nothing shown: %s", page)
	}
	link := page.Attr("shown-link", "href")

	// Whoever has the link, in another browser.
	other := apptest.NewBrowser(t)
	seen := other.Get(link)
	if seen.Status != http.StatusOK || seen.Attr("shown-verdict", "data-verdict") != "valid" || !strings.Contains(seen.Text(), "李秀英") {
		t.Fatalf("the link shows %s\n%s", seen, seen.Text())
	}
	if strings.Contains(seen.Text(), "1958年3月12日") {
		t.Error("Q03: the birth date was not in the preset and is shown")
	}
	other.Header = http.Header{"Accept": {"application/dc+sd-jwt"}}
	if got := other.Get(link); got.Status != http.StatusOK || strings.TrimSpace(string(got.Body)) != text {
		t.Errorf("the link as text: %s", got)
	}
	other.Header = nil

	// hufu verify says the same of the file, offline.
	dir := t.TempDir()
	file := filepath.Join(dir, "shown.sd-jwt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"bundle.zip": app.Ready.BundleURL, "root.json": app.Ready.RootURL} {
		if err := os.WriteFile(filepath.Join(dir, name), other.Get(from).Body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(purpose string) int {
		return apptest.Run(t, "verify", "--root", filepath.Join(dir, "root.json"), "--bundle", filepath.Join(dir, "bundle.zip"), "--purpose",
			app.Ready.Issuer+"/purposes/"+purpose, file).Code
	}
	if code := verify("driving-check"); code != 0 {
		t.Errorf("hufu verify: exit code %d", code)
	}
	if code := verify("hotel"); code == 0 {
		t.Error("S02: shown for a driving check, accepted as shown to a hotel")
	}

	history := b.Get(app.Ready.Issuer + "/wallet/history")
	if !strings.Contains(history.Text(), "打开过 2 次") {
		t.Errorf("the history does not count: %s", history.Text())
	}
	csv := b.Get(app.Ready.Issuer + "/wallet/history.csv")
	if csv.Status != http.StatusOK || !strings.Contains(string(csv.Body), "驾驶检查 Driving check") {
		t.Errorf("%s %s", csv, csv.Body)
	}
	page.Click("shown-stop")
	if got := other.Get(link); got.Status != http.StatusNotFound || strings.Contains(got.Text(), "李秀英") {
		t.Errorf("S03: a stopped link still answers: %s", got)
	}
	gone, never := other.Get(link).Text(), other.Get(app.Ready.Issuer+"/shown/AAAAAAAAAAAAAAAAAAAAAAAAAA").Text()
	if cut(gone) != cut(never) {
		t.Errorf("a stopped link and one that never was are told apart:\n%s\n%s", gone, never)
	}
	if got := b.Get(page.URL.String()); got.Status != http.StatusGone {
		t.Errorf("her own page of a stopped showing: %s", got)
	}
	b.Get(app.Ready.WalletURL).Click("logout").Click("logout-confirm")
	if got := b.Get(app.Ready.WalletURL); !got.Has("province-440000") || strings.Contains(got.Text(), "李秀英") {
		t.Errorf("the wallet after logging out: %s", got)
	}
}

// cut leaves out the number and the time of a problem page.
func cut(text string) string {
	before, _, _ := strings.Cut(text, "报障")
	return before[:min(len(before), 300)]
}

// TestAskedByTheCounter follows the counter's code through the login and taking to the verdict at the counter.
func TestAskedByTheCounter(t *testing.T) {
	app := apptest.Start(t, apptest.Options{})
	counter := app.Ready.Departments[0].CounterURL
	clerk, b := apptest.NewBrowser(t), apptest.NewBrowser(t)
	desk := clerk.Get(counter)
	ask := html.UnescapeString(regexp.MustCompile(`href="([^"]*/wallet/ask[^"]*)"`).FindStringSubmatch(string(desk.Body))[1])
	page := b.Get(ask).LogIn(app.Person("li-xiuying"))
	if !page.Has("take-driving-licence") || page.URL.Path != "/wallet/ask" {
		t.Fatalf("after the login: %s\n%s", page, page.Text())
	}
	page = page.Click("take-driving-licence")
	if !page.Has("show-confirm") || !strings.Contains(page.Text(), app.Ready.Departments[0].Name) {
		t.Fatalf("after taking: %s\n%s", page, page.Text())
	}
	page = page.Click("show-confirm")
	text := strings.TrimSpace(page.TextOf("shown-presentation"))
	var verdict *apptest.Page
	for range 20 { // the counter's own bundle learns of the first status list within seconds
		if verdict = desk.ClickWith("counter-check", url.Values{"input": {text}}); verdict.Attr("counter-verdict", "data-verdict") != "cannot_tell" {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	if verdict.Attr("counter-verdict", "data-verdict") != "valid" {
		t.Errorf("at the counter: %s\n%s", verdict, verdict.Text())
	}
	seen := apptest.NewBrowser(t).Get(page.Attr("shown-link", "href"))
	if seen.Status != http.StatusOK || strings.Contains(seen.Text(), "李秀英") || !seen.Has("shown-counter") {
		t.Errorf("a stranger with the link of an asked showing: %s\n%s", seen, seen.Text())
	}
	u, err := url.Parse(ask)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"audience": "https://evil.example/counter", "nonce": "short", "asker": "nobody", "purpose": "nonsense"} {
		q := u.Query()
		q.Set(name, value)
		changed := *u
		changed.RawQuery = q.Encode()
		if got := b.Get(changed.String()); got.Status != http.StatusBadRequest || got.Has("show-confirm") || strings.Contains(got.Text(), "evil") {
			t.Errorf("A05 %s=%s: %s", name, value, got)
		}
	}
	if got := b.Get(ask); !got.Has("show-confirm") {
		t.Errorf("the same request unchanged: %s", got)
	}
}
