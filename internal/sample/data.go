package sample

import (
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/web"
)

// Credit codes of the bodies that later steps refer to.
const (
	TrafficPoliceCode    = "1199440000TRY002X9" // 沙箱省公安厅交通管理局
	MarketRegulationCode = "1199440000TRY0011H" // 沙箱省市场监督管理局
	MinistryCode         = "1199000000TRY00383" // 沙箱民政部: defines licence types
	SealMakerCode        = "91990000MA9TRY042P"
)

// The organisation that makes the seals of the sample departments.
const (
	SealMakerName    = "沙箱印章制作中心"
	SealMakerEnglish = "Sandbox Seal Makers"
)

// NewWorld returns the sample world. People whose number shows another place than their province have moved, as many do.
func NewWorld() World {
	return World{People: people(), Provinces: provinces(), Departments: departments(), Organisations: organisations()}
}

func people() []Person {
	return []Person{
		{Slug: "li-xiuying", Name: "李秀英", English: "Li Xiuying", ResidentID: "99440119490312002X",
			Province: "440000", Provinces: []string{"440000"}, Level: upstream.Level3, Birthdate: "1949-03-12", Gender: "female",
			Phone: "+8613800000101", Story: web.Text{ZH: "广东，三级。长辈版，有驾驶证。", EN: "Guangdong, level 3. Senior mode, driving licence."}},
		{Slug: "wang-jianguo", Name: "王建国", English: "Wang Jianguo", ResidentID: "993301197806151171",
			Province: "330000", Provinces: []string{"330000"}, Level: upstream.Level4, Birthdate: "1978-06-15", Gender: "male",
			Phone: "+8613800000102", Story: web.Text{ZH: "浙江，四级。两家企业的法定代表人。", EN: "Zhejiang, level 4. Acts for two firms."}},
		{Slug: "zhang-wei", Name: "张伟", English: "Zhang Wei", ResidentID: "993101199508083316",
			Province: "310000", Provinces: []string{"310000"}, Level: upstream.Level2, Birthdate: "1995-08-08", Gender: "male",
			Phone: "+8613800000103", Story: web.Text{ZH: "上海，只有二级：要求更高时会请他再证明。", EN: "Shanghai, level 2 only: he is asked to prove more."}},
		{Slug: "liu-yang", Name: "刘洋", English: "Liu Yang", ResidentID: "995101200302202188",
			Province: "310000", Provinces: []string{"310000", "440000"}, Level: upstream.Level3, Birthdate: "2003-02-20", Gender: "female",
			Phone: "+8613800000104", Story: web.Text{ZH: "四川人，在上海和广东都有账号：两省报同一个号码。", EN: "From Sichuan, accounts in Shanghai and Guangdong: two provinces assert one number."}},
		{Slug: "ayiguli-maimaiti", Name: "阿依古丽·买买提", English: "Ayiguli Maimaiti", ResidentID: "99650119880930424X",
			Province: "440000", Provinces: []string{"440000"}, Level: upstream.Level3, Birthdate: "1988-09-30", Gender: "female",
			Phone: "+8613800000105", Story: web.Text{ZH: "新疆人，账号在广东。名字带间隔号。", EN: "From Xinjiang, account in Guangdong. A name with an interpunct."}},
		{Slug: "zhaxi-duoji", Name: "扎西多吉", English: "Zhaxi Duoji", ResidentID: "995401198201175199",
			Province: "330000", Provinces: []string{"330000"}, Level: upstream.Level3, Birthdate: "1982-01-17", Gender: "male",
			Phone: "+8613800000106", Story: web.Text{ZH: "西藏人，账号在浙江。没有姓。", EN: "From Tibet, account in Zhejiang. No family name."}},
		{Slug: "chen-zihan", Name: "陈子涵", English: "Chen Zihan", ResidentID: "991101201106016266",
			Province: "310000", Provinces: []string{"310000"}, Level: upstream.Level3, Birthdate: "2011-06-01", Gender: "female",
			Phone: "+8613800000107", Story: web.Text{ZH: "未成年人，账号在上海。", EN: "A minor, account in Shanghai."}},
		{Slug: "zhao-min", Name: "赵敏", English: "Zhao Min", ResidentID: "996101197005057283",
			Province: "330000", Provinces: []string{"330000"}, Level: upstream.Level3, Birthdate: "1970-05-05", Gender: "female",
			Phone: "+8613800000108", Story: web.Text{ZH: "陕西人，账号在浙江。驾驶证已吊销：验一验看。", EN: "From Shaanxi, account in Zhejiang. Her driving licence is revoked: verify it and see."}},
		{Slug: "he-jiaming", Name: "何嘉明", English: "He Jiaming", ResidentID: "994401199107263153",
			Province: "440000", Provinces: []string{"440000"}, Level: upstream.Level3, Birthdate: "1991-07-26", Gender: "male",
			Phone: "+8613800000109", Story: web.Text{ZH: "广东，三级。与李秀英同省，用来看两个人互不相干。", EN: "Guangdong, level 3. A second person at the same province."}},
		{Slug: "shen-yue", Name: "沈悦", English: "Shen Yue", ResidentID: "993301199911031488",
			Province: "330000", Provinces: []string{"330000"}, Level: upstream.Level3, Birthdate: "1999-11-03", Gender: "female",
			Phone: "+8613800000110", Story: web.Text{ZH: "浙江，三级。", EN: "Zhejiang, level 3."}},
		{Slug: "gu-wenbin", Name: "顾文彬", English: "Gu Wenbin", ResidentID: "993101196802192771",
			Province: "310000", Provinces: []string{"310000"}, Level: upstream.Level4, Birthdate: "1968-02-19", Gender: "male",
			Phone: "+8613800000111", Story: web.Text{ZH: "上海，四级；上海的上限是三级，所以到这里是三级。", EN: "Shanghai, asserts level 4; the ceiling there is 3, so he arrives with 3."}},
	}
}

func provinces() []ProvinceInfo {
	return []ProvinceInfo{
		{Code: "440000", Name: "广东省", English: "Guangdong", App: "粤省事", Ceiling: upstream.Level4, Levels: levels("L2", "L3", "L4", "L5"), Port: 1, Hue: "#0a6b52"},
		{Code: "330000", Name: "浙江省", English: "Zhejiang", App: "浙里办", Ceiling: upstream.Level4, Levels: levels("phone", "basic", "middle", "high"), Port: 2, Hue: "#1c4fa0"},
		{Code: "310000", Name: "上海市", English: "Shanghai", App: "随申办", Ceiling: upstream.Level3, Levels: levels("1", "2", "3", "4"), Port: 3, Hue: "#7a3b10"},
	}
}

// levels names the four national levels in a province's own words: no two provinces use the same.
func levels(l1, l2, l3, l4 string) map[string]upstream.Level {
	return map[string]upstream.Level{l1: upstream.Level1, l2: upstream.Level2, l3: upstream.Level3, l4: upstream.Level4}
}

func departments() []DepartmentInfo {
	return []DepartmentInfo{
		{Kind: TrafficPolice, Name: "沙箱省公安厅交通管理局", English: "Sandbox Traffic Police", Code: TrafficPoliceCode,
			ClientID: "sandbox-traffic-police", Service: web.Text{ZH: "驾驶证期满换证", EN: "Driving licence renewal"},
			Scopes: []string{"openid", "profile"}, Port: 10},
		{Kind: MarketRegulation, Name: "沙箱省市场监督管理局", English: "Sandbox Market Regulation", Code: MarketRegulationCode,
			ClientID: "sandbox-market-regulation", Service: web.Text{ZH: "个体工商户登记", EN: "Sole trader registration"},
			Scopes: []string{"openid", "profile", "phone"}, Port: 11},
	}
}

func organisations() []Organisation {
	return []Organisation{
		{Code: "91994401MA5TRY010A", Name: "粤测试商贸有限公司", English: "Yue Test Trading Co., Ltd.", Role: "firm"},
		{Code: "91993301MA2TRY023G", Name: "浙江示例科技有限公司", English: "Zhejiang Example Technology Co., Ltd.", Role: "firm"},
		{Code: MarketRegulationCode, Name: "沙箱省市场监督管理局", English: "Sandbox Market Regulation", Role: "issuer"},
		{Code: TrafficPoliceCode, Name: "沙箱省公安厅交通管理局", English: "Sandbox Traffic Police", Role: "issuer"},
		{Code: SealMakerCode, Name: SealMakerName, English: SealMakerEnglish, Role: "seal maker"},
		{Code: MinistryCode, Name: "沙箱民政部", English: "Sandbox Ministry", Role: "ministry"},
	}
}
