package verify

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestVerifyGoodPresentation(t *testing.T) {
	w := newWorld(t)
	v := w.verify(w.present(w.issue(nil)) + "\n")
	expect(t, v, Valid, "ok")
	if v.ExitCode() != 0 {
		t.Errorf("exit code %d", v.ExitCode())
	}
	if got := v.NotDisclosed(); !reflect.DeepEqual(got, []string{"id_number"}) {
		t.Errorf("not disclosed: %v", got)
	}
	if got := v.Claims()["name"]; got != "李秀英" {
		t.Errorf("name: %v", got)
	}
	path := v.TrustPath()
	if len(path) != 3 || path[0].Subject != "National root R1" || path[2].Subject != "Traffic police" {
		t.Errorf("trust path: %v", path)
	}
	var names []string
	for _, c := range v.Checks() {
		names = append(names, string(c.Name))
	}
	if got := strings.Join(names, " "); got != "parse signature chain issuer_authorised time status type_metadata holder bundle" {
		t.Errorf("checks: %s", got)
	}
}

func TestVerdictJSONIsStable(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	one, other := w.verify(p).JSON(), w.verify(p).JSON()
	if string(one) != string(other) {
		t.Errorf("two runs, two texts:\n%s\n%s", one, other)
	}
	var view struct {
		Verdict string
		Checks  []struct{ Name, Result, Reason, AsOf string }
	}
	must(t, json.Unmarshal(one, &view))
	if view.Verdict != "valid" || len(view.Checks) != 9 {
		t.Errorf("%s", one)
	}
	t.Logf("%s", one)
}

func TestVerdictText(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	for lang, words := range map[string][]string{
		"en": {"VALID", "Sandbox traffic police", "42 minutes old", "3 hours", "Not disclosed: Identity document number", "Compare the person"},
		"zh": {"有效", "沙箱省公安厅交通管理局", "42 分钟前", "3 小时前", "没有出示：身份证件号码", "请核对本人"},
	} {
		text := w.verify(p).Text(lang)
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q is missing in\n%s", lang, word, text)
			}
		}
		t.Logf("\n%s", text)
	}
	stale := Verify(p, w.contents, challenge, now.Add(30*24*time.Hour), Policy{}).Text("zh")
	if !strings.HasPrefix(stale, "不能确定") {
		t.Errorf("%s", stale)
	}
	t.Logf("\n%s", stale)
}

func TestZeroVerdictIsCannotTell(t *testing.T) {
	var v Verdict
	if v.Outcome() != CannotTell || v.ExitCode() != 3 {
		t.Errorf("%s, %d", v.Outcome(), v.ExitCode())
	}
	//lint:ignore SA9005 that it unmarshals nothing is the point
	if err := json.Unmarshal([]byte(`{"verdict":"valid","r":{"Outcome":"valid"}}`), &v); err != nil || v.Outcome() != CannotTell {
		t.Errorf("a verdict was made from text: %s, %v", v.Outcome(), err)
	}
}
