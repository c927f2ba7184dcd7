package web

import (
	"strings"
	"testing"
	"time"
)

func TestDatesAreInBeijing(t *testing.T) {
	late := time.Date(2026, 11, 20, 16, 5, 0, 0, time.UTC) // past midnight in Beijing
	if got, want := Date(late), (Text{ZH: "2026年11月21日", EN: "21 November 2026"}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Clock(late); got != "00:05" {
		t.Errorf("clock %s", got)
	}
	if !Date(time.Time{}).IsZero() {
		t.Error("the zero time has no date")
	}
}

func TestClaimWords(t *testing.T) {
	for _, x := range []struct {
		claim, value string
		label, want  Text
	}{
		{"birthdate", "1958-03-12", Text{ZH: "出生日期", EN: "Date of birth"}, Text{ZH: "1958年3月12日", EN: "12 March 1958"}},
		{"birthdate", "0000-03-12", Text{ZH: "出生日期", EN: "Date of birth"}, Plain("0000-03-12")}, // year unknown (OpenID Connect Core 5.1)
		{"gender", "female", Text{ZH: "性别", EN: "Sex"}, Text{ZH: "女", EN: "Female"}},
		{"gender", "other", Text{ZH: "性别", EN: "Sex"}, Plain("other")},
		{"name", "李秀英", Text{ZH: "姓名", EN: "Name"}, Text{ZH: "李秀英"}},
		{"x_unknown", "7", Plain("x_unknown"), Plain("7")},
	} {
		if got := ClaimLabel(x.claim); got != x.label {
			t.Errorf("label of %s: %v", x.claim, got)
		}
		if got := ClaimValue(x.claim, x.value); got != x.want {
			t.Errorf("%s %q: %v, want %v", x.claim, x.value, got, x.want)
		}
	}
	if got := LevelText("loa3"); got != (Text{ZH: "三级", EN: "level 3"}) {
		t.Errorf("loa3: %v", got)
	}
	if got := LevelText("urn:x"); got != Plain("urn:x") {
		t.Errorf("unknown level: %v", got)
	}
}

func TestPhrasesOfOfficesAndDates(t *testing.T) {
	zh, en := language{lang: ZH}, language{lang: EN}
	for _, x := range []struct{ got, want string }{
		{string(zh.office(traffic)), `<span class="nb">沙箱省公安厅</span><span class="nb">交通管理局</span>`},
		{string(zh.office(Text{ZH: "沙箱省市场监督管理局"})), `沙箱省市场监督管理局`},
		{string(zh.office(Text{ZH: "沙箱民政部"})), `沙箱民政部`},
		{string(en.office(traffic)), `Sandbox Traffic Police`},
		{string(en.office(Text{ZH: "沙箱<民政部"})), `<span lang="zh-Hans-CN">沙箱&lt;民政部</span>`},
		{string(zh.say(Text{ZH: "1958年3月12日"})), `<span class="nb">1958年3月12日</span>`},
		{string(zh.say(Text{EN: "Smith & Co"})), `<span lang="en">Smith &amp; Co</span>`},
		{string(en.say(Text{ZH: "阿依古丽·买买提"})), `<span lang="zh-Hans-CN">阿依古丽·买买提</span>`},
		{string(en.say(Plain("粤 or 粤省事"))), `<span lang="zh-Hans-CN">粤</span> or <span lang="zh-Hans-CN">粤省事</span>`},
	} {
		if x.got != x.want {
			t.Errorf("got %s\nwant %s", x.got, x.want)
		}
	}
}

// A picture is drawn; what only looks like one, or could run, stays text.
func TestPicturesAreDrawnAndNothingElse(t *testing.T) {
	const good = "data:image/jpeg;base64,/9j/4AAQSkZJRg=="
	for _, lang := range []struct {
		l   language
		alt string
	}{{language{lang: ZH}, "照片"}, {language{lang: EN}, "Picture"}} {
		if got := string(lang.l.say(ClaimValue("portrait", good))); got != `<img class="portrait" src="`+good+`" alt="`+lang.alt+`">` {
			t.Errorf("%s", got)
		}
	}
	for _, bad := range []string{"data:image/svg+xml;base64,PHN2Zz4=", "data:text/html;base64,PGI+", good + `" onerror="x`, "https://x.example/a.jpg", "data:image/jpeg;base64,", " " + good, good + "\n" + good} {
		if got := string((language{lang: EN}).say(ClaimValue("portrait", bad))); strings.Contains(got, "<img") {
			t.Errorf("%q became %s", bad, got)
		}
	}
}
