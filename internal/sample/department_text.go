package sample

import (
	"cmp"
	"fmt"

	"github.com/hufu-id/hufu/web"
)

var departmentCSS = mustRead("pages/department.css")

// service is the wording of one department's page.
type service struct {
	Nav    []string
	Lead   web.Text
	Asks   web.Text
	Window web.Text
	Prep   []web.Text
}

var departmentText = map[DepartmentKind]service{
	TrafficPolice: {
		Nav:    []string{"驾驶证", "机动车", "违法处理", "网点预约"},
		Lead:   web.Text{ZH: "有效期满前 90 天内可以换证。网上办约 5 分钟，新证邮寄到家。", EN: "Renew within 90 days before your licence expires. It takes about 5 minutes online."},
		Asks:   web.Text{ZH: "用任何一个省的账号登录。我们只要您的姓名等基本资料，不要身份证号。", EN: "Log in with the account of any province. We ask for your name and basic data, not for your id number."},
		Window: web.Text{ZH: "不想网上办，也可以带身份证和体检证明到任一车管所，同样当天受理。", EN: "You can also come to any office with your id card and medical certificate."},
		Prep: []web.Text{{ZH: "近三个月的体检证明", EN: "A medical certificate of the last three months"}, {ZH: "近期白底照片", EN: "A recent photo on white"},
			{ZH: "没有未处理的违法记录", EN: "No open violations"}},
	},
	MarketRegulation: {
		Nav:    []string{"登记注册", "食品经营", "年度报告", "网点预约"},
		Lead:   web.Text{ZH: "个人做小生意，网上登记约 10 分钟，当天领电子执照。", EN: "Register as a sole trader in about 10 minutes. The e-licence comes the same day."},
		Asks:   web.Text{ZH: "用任何一个省的账号登录。我们只要您的姓名等基本资料和手机号码，不要身份证号。", EN: "Log in with the account of any province. We ask for your name, basic data and phone, not for your id number."},
		Window: web.Text{ZH: "不想网上办，也可以带身份证到任一办事大厅登记窗口，同样当天受理。", EN: "You can also come to any service hall with your id card."},
		Prep:   []web.Text{{ZH: "想好的字号", EN: "The name of your business"}, {ZH: "经营场所的地址", EN: "The address of your place of business"}, {ZH: "经营项目", EN: "What you will do"}},
	},
}

// fact is one line of "what we received".
type fact struct {
	Label web.Text
	Value string
}

// facts lists what came, in a fixed order; protocol claims last.
func facts(claims map[string]any) (out []fact) {
	for _, f := range []struct {
		name   string
		zh, en string
	}{{"name", "姓名", "Name"}, {"birthdate", "出生日期", "Date of birth"}, {"gender", "性别", "Gender"}, {"phone_number", "手机号码", "Phone"},
		{"acr", "认证等级", "Level (acr)"}, {"sub", "给我们的代号", "Our code for you (sub)"}} {
		if v, ok := claims[f.name]; ok {
			out = append(out, fact{web.Text{ZH: f.zh, EN: f.en}, fmt.Sprint(v)})
		}
	}
	return out
}

var problems = map[string]web.Text{
	"declined":    {ZH: "您没有同意，没有资料交给我们。可以再试，也可以到窗口办理。", EN: "You declined, and we received nothing. Try again, or come to a counter."},
	"unavailable": {ZH: "登录服务暂时连不上。这不是您的错，请过几分钟再试。", EN: "The login service cannot be reached now. You did nothing wrong; try again in a few minutes."},
	"state":       {ZH: "这次登录已经过期或用过了，请再登录一次。", EN: "This login is over or was used. Log in again."},
	"answer":      {ZH: "登录没有完成，请再登录一次。", EN: "The login was not completed. Log in again."},
}

// problemText says what went wrong; an unknown word, which anybody can put into a link, gives the general sentence.
func problemText(kind string) web.Text { return cmp.Or(problems[kind], problems["answer"]) }
