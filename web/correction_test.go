package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/correctionpages"
)

func reportPage() correctionpages.ReportPage {
	return correctionpages.ReportPage{Licence: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"},
		Fields: []correctionpages.Choice{{Name: "name", Label: web.Text{ZH: "姓名", EN: "Name"}, Value: web.Text{ZH: "李秀英"}},
			{Name: "birth_date", Label: web.Text{ZH: "出生日期", EN: "Date of birth"}, Value: web.ISODate("1958-03-12")},
			{Name: "address", Label: web.Text{ZH: "住址", EN: "Address"}},
			{Name: "other", Label: correctionpages.OtherField(), Other: true}},
		Max: 500, Action: "/wallet/licences/1/report", CSRF: "token", Wallet: "/wallet", List: "/wallet/reports"}
}

// TestCorrectionPagesStructure: every page in every state, language and mode.
func TestCorrectionPagesStructure(t *testing.T) {
	base, err := web.New(web.Config{Sandbox: true, Version: "0.1"})
	if err != nil {
		t.Fatal(err)
	}
	p := correctionpages.Pages{Pages: base}
	at := time.Date(2026, 11, 21, 2, 47, 0, 0, time.UTC)
	row := correctionpages.Row{Licence: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"},
		LicenceID: "1.2.3", Field: web.Text{ZH: "住址", EN: "Address"}, Text: web.Plain("应该是\n北京路 1 号"), ReportedAt: at}
	rows := []correctionpages.Row{row}
	for _, outcome := range []string{"corrected", "not_wrong", "forwarded"} {
		r := row
		r.Answered, r.Outcome, r.Answer, r.AnsweredAt = true, outcome, web.Plain("已按户口簿更正。"), at
		rows = append(rows, r)
	}
	rows = append(rows, correctionpages.Row{LicenceID: "1.2.156.3005.2.GONE", Field: web.Plain("old_entry"), Text: web.Plain("x"), ReportedAt: at})
	wrong := reportPage()
	wrong.Text, wrong.TextProblem, wrong.FieldProblem = "很长\n的话", correctionpages.LongText(3, 500), correctionpages.NoField()
	chosen := reportPage()
	chosen.Issuer, chosen.Fields[1].Chosen, chosen.TextProblem = web.Text{}, true, correctionpages.NoText()
	for name, show := range map[string]func(w http.ResponseWriter, r *http.Request){
		"report":        func(w http.ResponseWriter, r *http.Request) { p.Report(w, r, 200, reportPage()) },
		"report-wrong":  func(w http.ResponseWriter, r *http.Request) { p.Report(w, r, 400, wrong) },
		"report-chosen": func(w http.ResponseWriter, r *http.Request) { p.Report(w, r, 400, chosen) },
		"list": func(w http.ResponseWriter, r *http.Request) {
			p.List(w, r, correctionpages.ListPage{Reports: rows, Wallet: "/wallet"})
		},
		"list-empty": func(w http.ResponseWriter, r *http.Request) {
			p.List(w, r, correctionpages.ListPage{Wallet: "/wallet"})
		},
		"full": func(w http.ResponseWriter, r *http.Request) {
			page := correctionpages.TooMany(row.Licence, 5)
			page.Next = &web.Action{Label: correctionpages.ListTitle(), Href: "/wallet/reports"}
			base.Problem(w, r, page)
		},
	} {
		for _, lang := range []string{"zh", "en"} {
			for _, mode := range []string{"standard", "senior"} {
				t.Run(name+"/"+lang+"/"+mode, func(t *testing.T) {
					r := httptest.NewRequest(http.MethodGet, "/wallet/reports", nil)
					r.AddCookie(&http.Cookie{Name: web.LangCookie, Value: lang})
					r.AddCookie(&http.Cookie{Name: web.ModeCookie, Value: mode})
					w := httptest.NewRecorder()
					base.Preferences(http.HandlerFunc(show)).ServeHTTP(w, r)
					web.CheckStructure(t, w.Body.Bytes(), lang, mode)
				})
			}
		}
	}
}

// TestA08MarkupInReportsIsText: what a person or an authority writes is text, in every place and attribute.
func TestA08MarkupInReportsIsText(t *testing.T) {
	base, err := web.New(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := correctionpages.Pages{Pages: base}
	for _, x := range []struct{ name, text string }{{"A08", `"></textarea><script>alert(1)</script>`}, {"twin", `沙箱 & "Co"`}} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", nil)
		page := reportPage()
		page.Text, page.Licence = x.text, web.Plain(x.text)
		p.Report(w, r, 400, page)
		p.List(w, r, correctionpages.ListPage{Reports: []correctionpages.Row{{Licence: web.Plain(x.text), Text: web.Plain(x.text), Answer: web.Plain(x.text), Answered: true, Outcome: "corrected"}}})
		if strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), "&#34;") {
			t.Errorf("%s: markup became part of the page, or the text is gone", x.name)
		}
	}
}
