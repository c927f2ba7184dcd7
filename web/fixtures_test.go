package web

import (
	"net/http"
	"time"
)

// The sample world of these tests: the pages as the sketches show them.

var (
	testTime   = time.Date(2026, 11, 21, 2, 47, 0, 0, time.UTC) // 10:47 in Beijing
	traffic    = Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"}
	renewal    = Text{ZH: "驾驶证期满换证", EN: "Renew a driving licence"}
	guangdong  = Province{Code: "440000", Short: "粤", Name: Text{ZH: "广东省", EN: "Guangdong"}, App: "粤省事", Href: "440000", Connected: true}
	zhejiang   = Province{Code: "330000", Short: "浙", Name: Text{ZH: "浙江省", EN: "Zhejiang"}, App: "浙里办", Href: "330000", Connected: true, State: Text{ZH: "较慢，约多等 8 秒", EN: "Slow, about 8 s more"}}
	shanghai   = Province{Code: "310000", Short: "沪", Name: Text{ZH: "上海市", EN: "Shanghai"}, App: "随申办", Href: "310000", Connected: true}
	testDocket = Docket{Service: renewal, Department: traffic, RequiredACR: "loa3"}
)

func other(code, short, zh, en, app string) Province {
	return Province{Code: code, Short: short, Name: Text{ZH: zh, EN: en}, App: app, Href: code}
}

// testRegions is the whole list, because the page's budget is measured with it.
func testRegions() []Region {
	return []Region{
		{"north", Text{ZH: "华北", EN: "North"}, []Province{other("110000", "京", "北京市", "Beijing", "京通"), other("120000", "津", "天津市", "Tianjin", "津心办"),
			other("130000", "冀", "河北省", "Hebei", "冀时办"), other("140000", "晋", "山西省", "Shanxi", "三晋通"), other("150000", "蒙", "内蒙古自治区", "Inner Mongolia", "蒙速办")}},
		{"northeast", Text{ZH: "东北", EN: "Northeast"}, []Province{other("210000", "辽", "辽宁省", "Liaoning", "辽事通"), other("220000", "吉", "吉林省", "Jilin", "吉事办"),
			other("230000", "黑", "黑龙江省", "Heilongjiang", "黑龙江全省事")}},
		{"east", Text{ZH: "华东", EN: "East"}, []Province{shanghai, other("320000", "苏", "江苏省", "Jiangsu", "苏服办"), zhejiang, other("340000", "皖", "安徽省", "Anhui", "皖事通"),
			other("350000", "闽", "福建省", "Fujian", "闽政通"), other("360000", "赣", "江西省", "Jiangxi", "赣服通"), other("370000", "鲁", "山东省", "Shandong", "爱山东")}},
		{"centre", Text{ZH: "中南", EN: "South and centre"}, []Province{other("410000", "豫", "河南省", "Henan", "豫事办"), other("420000", "鄂", "湖北省", "Hubei", "鄂汇办"),
			other("430000", "湘", "湖南省", "Hunan", "湘易办"), guangdong, other("450000", "桂", "广西壮族自治区", "Guangxi", "智桂通"), other("460000", "琼", "海南省", "Hainan", "海易办")}},
		{"southwest", Text{ZH: "西南", EN: "Southwest"}, []Province{other("500000", "渝", "重庆市", "Chongqing", "渝快办"), other("510000", "川", "四川省", "Sichuan", "天府通办"),
			other("520000", "贵", "贵州省", "Guizhou", "贵人服务"), other("530000", "云", "云南省", "Yunnan", "办事通"), other("540000", "藏", "西藏自治区", "Tibet (Xizang)", "西藏政务服务")}},
		{"northwest", Text{ZH: "西北", EN: "Northwest"}, []Province{other("610000", "陕", "陕西省", "Shaanxi", "秦务员"), other("620000", "甘", "甘肃省", "Gansu", "甘快办"),
			other("630000", "青", "青海省", "Qinghai", "青松办"), other("640000", "宁", "宁夏回族自治区", "Ningxia", "我的宁夏"), other("650000", "新", "新疆维吾尔自治区", "Xinjiang", "新服办"),
			other("660000", "兵", "新疆生产建设兵团", "Xinjiang Corps", "兵团政务服务")}},
	}
}

// connected is the worst case for the budget: every province is a link with its id and app.
func connected(regions []Region) []Region {
	for _, r := range regions {
		for i := range r.Provinces {
			r.Provinces[i].Connected = true
		}
	}
	return regions
}

func testConsent() ConsentPage {
	return ConsentPage{
		Client: traffic, Service: renewal, Registered: testTime, Action: "/consent/f1", CSRF: "token", OfferStanding: true, LastTime: testTime.AddDate(0, -1, -19),
		Given: []GivenItem{{Key: "name", Value: Text{ZH: "李秀英"}, Required: true}, {Key: "birthdate", Value: ISODate("1958-03-12"), Required: true},
			{Key: "phone_number", Value: Plain("138****1234"), New: true, Note: Text{ZH: "用来通知您领证", EN: "To tell you when to collect it"}}},
		Stays: []Text{ClaimLabel("resident_id"), ClaimLabel("address"), ClaimLabel("picture")}, Hidden: []Field{{"flow", "f1"}},
	}
}

func testLicence() LicenceView {
	return LicenceView{
		ID: "1.2.156.3005.2.1199000000TRY00383001.1199440000TRY002X9.20260000000000000001.001.J", TypeID: "driving-licence",
		Name: Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: traffic, Status: Text{ZH: "有效", EN: "Valid"}, Tone: ToneOK,
		ValidFrom: testTime.AddDate(-4, 0, 0), ValidTo: testTime.AddDate(6, 0, 0), CanOffer: true, Action: "/licences/offer", Hidden: []Field{{"licence", "L1"}},
		Facts: []Fact{{Text{ZH: "姓名", EN: "Name"}, Text{ZH: "李秀英"}}, {Text{ZH: "准驾车型", EN: "Vehicle class"}, Plain("C1")}},
	}
}

func testOffer() OfferPage {
	return OfferPage{
		Licence: Text{ZH: "机动车驾驶证", EN: "driving licence"}, Issuer: traffic, TxCode: "482913", Expires: testTime.Add(10 * time.Minute), Back: "/licences",
		URI: "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Flocalhost%3A8080%2Fi%2F1199440000TRY002X9%2Foffer%2FjX2kZ0rQx7t3",
	}
}

func testStart() StartPage {
	door := func(port, zh, en, whatZH, whatEN string) Door {
		return Door{port, Text{ZH: zh, EN: en}, Text{ZH: whatZH, EN: whatEN}, "http://localhost:" + port}
	}
	return StartPage{
		Department: "http://localhost:8090", DepartmentName: traffic, Province: Text{ZH: "广东", EN: "Guangdong"}, Person: Text{ZH: "李秀英"}, Wallet: "/wallet", Licences: "/licences",
		People: []StartPerson{{Text{ZH: "李秀英", EN: "Li Xiuying"}, Text{ZH: "广东，三级。有驾驶证。", EN: "Guangdong, level 3. Has a driving licence."}},
			{Text{ZH: "阿依古丽·买买提", EN: "Ayiguli Maimaiti"}, Text{ZH: "新疆。名字里有间隔号。", EN: "Xinjiang. A name with an interpunct."}}},
		Doors:  []Door{door("8080", "国家服务器", "National server", "登录、证照、公钥", "Login, licences, keys"), door("8081", "广东", "Guangdong", "OpenID Connect 身份源", "An OpenID provider")},
		Faults: []Action{{Label: Text{ZH: "广东省不回答", EN: "Guangdong does not answer"}, Href: "http://localhost:8081/faults"}},
		Client: &StartClient{Issuer: "http://localhost:8080", ID: "playground", Secret: "not-a-secret", RedirectURIs: []string{"http://127.0.0.1/callback", "http://localhost/callback"}},
		Commands: []Command{{Text{ZH: "不用浏览器，走完全程", EN: "The whole way without a browser"}, "hufu demo"},
			{Text{ZH: "导出信任包", EN: "Export the trust bundle"}, "hufu bundle export --url http://localhost:8080 --out bundle.zip"}},
		More: []Action{{Label: Text{ZH: "发现文档", EN: "Discovery"}, Href: "/.well-known/openid-configuration"}},
	}
}

// testCase is one page in one state.
type testCase struct {
	name   string
	target string
	show   func(p *Pages, w http.ResponseWriter, r *http.Request)
}

// testCases are all pages in all states that look different.
func testCases() []testCase {
	gd := guangdong
	chooser := func(change func(*ChooserPage)) func(*Pages, http.ResponseWriter, *http.Request) {
		return func(p *Pages, w http.ResponseWriter, r *http.Request) {
			page := ChooserPage{Docket: testDocket, Regions: testRegions(), Cancel: "cancel", Forget: "forget"}
			change(&page)
			p.Chooser(w, r, page)
		}
	}
	consent := func(change func(*ConsentPage)) func(*Pages, http.ResponseWriter, *http.Request) {
		return func(p *Pages, w http.ResponseWriter, r *http.Request) {
			page := testConsent()
			change(&page)
			p.Consent(w, r, page)
		}
	}
	problem := func(kind ProblemKind, change func(*ProblemPage)) func(*Pages, http.ResponseWriter, *http.Request) {
		return func(p *Pages, w http.ResponseWriter, r *http.Request) {
			page := NewProblem(kind, Args{"province": guangdong.Name, "client": traffic, "have": LevelText("loa2"), "need": LevelText("loa3"),
				"licence": testLicence().Name, "status": Text{ZH: "暂扣", EN: "withheld"}})
			page.TraceID = "7F3K-22Q9-M4TD"
			change(&page)
			p.Problem(w, r, page)
		}
	}
	all := []testCase{
		{"chooser", "/login/f1/", chooser(func(c *ChooserPage) {})},
		{"chooser-selfmade", "/login/f1/", chooser(func(c *ChooserPage) { c.Docket.About.SelfMade = true })},
		{"chooser-remembered", "/login/f1/", chooser(func(c *ChooserPage) { c.Remembered = &gd; c.Regions = connected(c.Regions) })},
		{"chooser-found", "/login/f1/?q=gd", chooser(func(c *ChooserPage) {
			c.Query, c.Results, c.Remembered = "gd", []Province{guangdong, other("450000", "桂", "广西壮族自治区", "Guangxi", "智桂通")}, &gd
		})},
		{"chooser-found-other", "/login/f1/?q=zj", chooser(func(c *ChooserPage) { c.Query, c.Results, c.Remembered = "zj", []Province{zhejiang}, &gd })},
		{"chooser-none", "/login/f1/?q=x", chooser(func(c *ChooserPage) { c.Query, c.Remembered = "广冻<script>", &gd })},
		{"chooser-region", "/login/f1/?region=east", chooser(func(c *ChooserPage) {})},
		{"consent", "/consent/f1", consent(func(c *ConsentPage) {})},
		{"consent-first", "/consent/f1", consent(func(c *ConsentPage) { c.LastTime, c.OfferStanding = time.Time{}, false; c.Given = c.Given[:2] })},
		{"consent-nothing", "/consent/f1", consent(func(c *ConsentPage) { c.Given, c.Stays = nil, nil })},
		{"consent-selfmade", "/consent/f1", consent(func(c *ConsentPage) {
			c.SelfMade, c.About = true, About{Logo: "https://rp.example/logo.svg", Policy: "https://rp.example/p", Terms: "https://rp.example/t"}
		})},
		{"consent-notice", "/consent/f1", consent(func(c *ConsentPage) { c.Notice = true })},
		{"logout", "/logout", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.LogoutConfirm(w, r, LogoutPage{Client: traffic, Action: "/logout", CSRF: "token", Stay: "/"})
		}},
		{"loggedout", "/logout", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.LoggedOut(w, r, LoggedOutPage{Services: []Text{traffic}, Next: Next(NextDepartment, "http://localhost:8090")})
		}},
		{"loggedout-stray", "/logout", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.LoggedOut(w, r, LoggedOutPage{Stray: true, Client: traffic})
		}},
		{"loggedout-plain", "/logout", func(p *Pages, w http.ResponseWriter, r *http.Request) { p.LoggedOut(w, r, LoggedOutPage{}) }},
		{"licences", "/licences", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.Licences(w, r, LicencesPage{Person: Text{ZH: "李秀英"}, Licences: []LicenceView{testLicence()}, CSRF: "token", Logout: "/logout"})
		}},
		{"licences-many", "/licences", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			a, b, c := testLicence(), testLicence(), testLicence()
			b.Tone, b.Status, b.CanOffer, b.WhyNot = ToneBad, Text{ZH: "吊销", EN: "Revoked"}, false, Text{ZH: "吊销的证不能放进钱包。", EN: "A revoked licence can't be moved."}
			b.Reason = Text{ZH: "醉酒后驾驶", EN: "Drink driving"}
			c.Tone, c.Status = ToneWarn, Text{ZH: "暂扣", EN: "Withheld"}
			p.Licences(w, r, LicencesPage{Person: Text{ZH: "赵敏"}, Licences: []LicenceView{a, b, c}, CSRF: "token"})
		}},
		{"licences-empty", "/licences", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.Licences(w, r, LicencesPage{Person: Text{ZH: "张伟"}, CSRF: "token"})
		}},
		{"offer", "/licences/offer/1", func(p *Pages, w http.ResponseWriter, r *http.Request) { p.Offer(w, r, testOffer()) }},
		{"start", "/", func(p *Pages, w http.ResponseWriter, r *http.Request) { p.Start(w, r, testStart()) }},
		{"start-used", "/", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			page := testStart()
			page.LastLogin = &LastLogin{Steps: []Fact{{Text{ZH: "广东省", EN: "Guangdong"}, Plain("112 ms")}, {Text{ZH: "同意", EN: "Consent"}, Plain("3 ms")}}}
			p.Start(w, r, page)
		}},
		{"home", "/", func(p *Pages, w http.ResponseWriter, r *http.Request) {
			p.Home(w, r, HomePage{Wallet: "/wallet", Licences: "/licences", Trust: []Action{{Label: Text{ZH: "信任包", EN: "Trust bundle"}, Hint: Text{ZH: "离线验证要用", EN: "For offline verification"}, Href: "/bundle.zip"}}})
		}},
		{"problem-full", "/callback/440000", problem(ProblemProvinceSlow, func(q *ProblemPage) {
			q.Next = Next(NextRetry, "/login/f1/440000")
			q.Others = []Action{*Next(NextChoose, "/login/f1/"), {Label: Say("action.department", nil), Hint: traffic, Href: "/login/f1/cancel"}}
		})},
		{"problem-developer", "/authorize?client_id=x", problem(ProblemRedirect, func(q *ProblemPage) {
			q.Developer = "redirect_uri sent:       http://localhost:3000/callback\nredirect_uri registered: http://localhost:3000/cb"
		})},
	}
	for kind := range allProblems {
		all = append(all, testCase{"problem-" + string(kind), "/x", problem(kind, func(*ProblemPage) {})})
	}
	return all
}

// allProblems lists every kind; TestProblemKindsAreListed keeps it complete.
var allProblems = map[ProblemKind]bool{
	ProblemFlowGone: true, ProblemRequest: true, ProblemClient: true, ProblemRedirect: true, ProblemRequestURI: true, ProblemProvinceDown: true, ProblemProvinceSlow: true,
	ProblemProvinceAnswer: true, ProblemProvinceDeclined: true, ProblemProvinceUnknown: true, ProblemReplayed: true, ProblemLevel: true,
	ProblemConflict: true, ProblemForm: true, ProblemLogout: true, ProblemOfferGone: true, ProblemLicence: true, ProblemNotFound: true,
	ProblemMethod: true, ProblemTooLarge: true, ProblemBusy: true, ProblemInternal: true,
}
