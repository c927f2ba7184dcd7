// Package records makes the contents of the sample world's licences: what a department's system would send.
package records

import (
	"strings"
	"sync"

	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/portrait"
)

// LatinName is the name in Latin letters, in the two parts that a mobile driving licence has.
func LatinName(p sample.Person) (family, given string) {
	switch p.Slug {
	case "ayiguli-maimaiti": // her own name stands first, her father's last
		return "Maimaiti", "Ayiguli"
	case "zhaxi-duoji": // no family name: the whole name is the primary one (ICAO Doc 9303)
		return p.English, "-"
	}
	family, given, _ = strings.Cut(p.English, " ")
	return family, given
}

var portraits sync.Map // by slug: drawing takes a while

// Portrait is the person's picture as records carry it.
func Portrait(p sample.Person) string {
	if text, ok := portraits.Load(p.Slug); ok {
		return text.(string)
	}
	text := portrait.Text(p.Slug, p.Gender == "female", p.Birthdate < "1960")
	portraits.Store(p.Slug, text)
	return text
}

// Driving is the fields of a driving licence.
func Driving(p sample.Person, class, firstIssued, fileNumber string) map[string]any {
	family, given := LatinName(p)
	return map[string]any{"licence_number": p.ResidentID, "sex": p.Gender, "birth_date": p.Birthdate, "nationality": "中国",
		"address": "沙箱省测试市样本路 1 号", "first_issue_date": firstIssued, "vehicle_classes": []any{class}, "file_number": fileNumber,
		"issuing_authority": "沙箱省公安厅交通管理局", "issuing_authority_latin": "Sandbox Traffic Police",
		"family_name": family, "given_name": given, "portrait": Portrait(p)}
}
