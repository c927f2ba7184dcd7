package records

import (
	"fmt"
	"strings"

	"github.com/hufu-id/hufu/internal/sample"
)

// Record is a licence of the sample world as an authority's system sends it.
type Record struct {
	// Authority is the credit code of who grants it.
	Authority string
	// Body is the record of the department API.
	Body map[string]any
}

// Authorities are who grants what, by credit code.
func Authorities() map[string][]string {
	return map[string][]string{
		sample.TrafficPoliceCode:    {"driving-licence", "vehicle-licence", "resident-id", "residence-permit"},
		sample.MarketRegulationCode: {"business-licence", "food-permit"},
		sample.MinistryCode:         {"social-security-card", "marriage-certificate", "property-certificate", "disability-certificate"},
	}
}

// authorityOf finds the authority of a type and its name.
func authorityOf(typeID string) (code, name string) {
	names := map[string]string{sample.TrafficPoliceCode: "沙箱省公安厅交通管理局", sample.MarketRegulationCode: "沙箱省市场监督管理局", sample.MinistryCode: "沙箱民政部"}
	for code, types := range Authorities() {
		for _, t := range types {
			if t == typeID {
				return code, names[code]
			}
		}
	}
	return "", ""
}

// Of is a licence of a type for a person; n tells several apart. An organisation's licence is that of the firm for which she acts.
func Of(typeID string, p sample.Person, n int) Record {
	code, authority := authorityOf(typeID)
	holder := map[string]any{"name": p.Name, "code": p.ResidentID, "code_type": "111", "reference": p.Slug}
	if typeID == "business-licence" || typeID == "food-permit" {
		firm := sample.NewWorld().Organisations[n%2]
		holder = map[string]any{"name": firm.Name, "code": firm.Code, "code_type": "001", "reference": "firm-" + strings.ToLower(firm.Code[8:14]),
			"representative": map[string]any{"name": p.Name, "code": p.ResidentID, "code_type": "111"}}
	}
	body := map[string]any{"type": typeID, "record_number": fmt.Sprintf("SANDBOX-%s-%04d", strings.ToUpper(typeID[:3]), n), "holder": holder,
		"fields": fields(typeID, p, n, authority), "valid_from": "2024-03-01"}
	if typeID != "business-licence" && typeID != "marriage-certificate" {
		body["valid_to"] = "2034-03-01"
	}
	return Record{code, body}
}

func fields(typeID string, p sample.Person, n int, authority string) map[string]any {
	switch typeID {
	case "driving-licence":
		return Driving(p, "C1", "2023-05-21", fmt.Sprintf("99440000%04d", n))
	case "vehicle-licence":
		return map[string]any{"plate": fmt.Sprintf("沙A9%04d", n), "vehicle_type": "小型轿车", "use": "private", "brand_model": "样本牌 SB1000",
			"vin": fmt.Sprintf("LSAMPLE0000%06d", n), "engine_number": fmt.Sprintf("SB%06d", n), "register_date": "2024-03-01",
			"inspection_valid_to": "2030-03-31", "issuing_authority": authority}
	case "business-licence":
		return map[string]any{"organisation_type": "有限责任公司", "registered_capital": "壹佰万元整", "founding_date": "2020-05-06",
			"business_scope": "样本商品批发、零售；技术服务", "address": "沙箱省测试市样本路 2 号", "registration_authority": authority}
	case "food-permit":
		return map[string]any{"licence_number": fmt.Sprintf("JY199440100%05d", n), "place": "沙箱省测试市样本路 3 号", "main_form": "catering",
			"items": []any{"hot-dishes", "cold-dishes"}, "issuing_authority": authority}
	case "marriage-certificate":
		return map[string]any{"certificate_number": fmt.Sprintf("J990101-2020-%06d", n), "register_date": "2020-05-20", "sex": p.Gender, "birth_date": p.Birthdate,
			"nationality": "中国", "spouse_name": "样本配偶", "spouse_id_number": "994401194807053015", "registration_authority": authority}
	case "property-certificate":
		return map[string]any{"certificate_number": fmt.Sprintf("沙（2024）测试市不动产权第%07d号", n), "co_ownership": "sole", "location": "沙箱省测试市样本路 4 号 1 栋 501",
			"unit_number": fmt.Sprintf("990101001001GB%05dF0001%04d0", n, n)[:28], "right_type": "国有建设用地使用权/房屋所有权", "right_nature": "出让/市场化商品房",
			"use": "城镇住宅用地/住宅", "area": "89.50 平方米", "term": "2024-03-01 起 70 年", "registration_authority": authority}
	}
	return faced(typeID, p, n, authority)
}

// faced are the types with a portrait.
func faced(typeID string, p sample.Person, n int, authority string) map[string]any {
	out := map[string]any{"portrait": Portrait(p), "issuing_authority": authority}
	if typeID == "social-security-card" {
		out["card_number"], out["region"], out["bank"] = fmt.Sprintf("SB%07d", n), "沙箱省测试市", "样本银行"
		return out
	}
	out["sex"], out["birth_date"] = p.Gender, p.Birthdate
	switch typeID {
	case "resident-id":
		out["ethnic_group"], out["address"] = "汉", "沙箱省测试市样本路 1 号"
		if p.Slug == "ayiguli-maimaiti" {
			out["ethnic_group"] = "维吾尔"
		}
		if p.Slug == "zhaxi-duoji" {
			out["ethnic_group"] = "藏"
		}
	case "residence-permit":
		out["address"], out["region"] = "沙箱省测试市样本路 5 号", "沙箱省测试市"
	case "disability-certificate":
		out["certificate_number"], out["disability_class"], out["disability_level"] = p.ResidentID+"43", "physical", "3"
	}
	return out
}

// Licences is what is granted in the sample world beside the driving licences.
func Licences(w sample.World) []Record {
	var out []Record
	for i, g := range []struct{ slug, typeID string }{
		{"li-xiuying", "resident-id"}, {"li-xiuying", "social-security-card"}, {"li-xiuying", "marriage-certificate"},
		{"wang-jianguo", "resident-id"}, {"wang-jianguo", "business-licence"}, {"wang-jianguo", "food-permit"}, {"wang-jianguo", "vehicle-licence"},
		{"he-jiaming", "property-certificate"}, {"he-jiaming", "disability-certificate"}, {"ayiguli-maimaiti", "residence-permit"}, {"zhao-min", "food-permit"},
	} {
		if p, ok := w.Person(g.slug); ok {
			out = append(out, Of(g.typeID, p, i+1))
		}
	}
	return out
}
