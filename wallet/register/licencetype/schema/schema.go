// Package schema makes the JSON Schema (2020-12) of a licence type: what a record looks like when a department sends it. Whatever it accepts the
// register accepts too, but for what a schema can't say: check characters, days that don't exist, an end before the beginning, broken images. Pure.
package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Name is the last part of a schema's URL, below the type's.
const Name = "schema.json"

// object is a JSON object; encoding/json sorts its members, so that one type has one text.
type object = map[string]any

const (
	// textForm keeps out control characters and blanks at the ends.
	textForm = `^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$`
	dayForm  = `^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
)

// Of returns the schema of a version of a type.
func Of(t licencetype.Type) ([]byte, error) {
	fields, required := object{}, []string{}
	for _, f := range t.Fields {
		fields[f.Name] = field(f)
		if f.Required {
			required = append(required, f.Name)
		}
	}
	doc := object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": t.VCT + "/" + Name,
		"title": t.Name["zh"] + " " + t.Name["en"], "description": t.Description["zh"] + "。" + t.Description["en"] + ".",
		"type": "object", "additionalProperties": false,
		"required": []string{"type", "record_number", "holder", "fields", "valid_from"},
		"properties": object{
			"type":          object{"const": t.ID},
			"record_number": text("业务编号", "The authority's own number of the record", 64),
			"holder":        holder(t),
			"fields":        object{"type": "object", "additionalProperties": false, "required": required, "properties": fields},
			"valid_from":    day("有效期起始", "First day of validity"),
			"valid_to":      day("有效期截止；长期有效则不填", "Last day of validity; left out for the long term"),
		},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("schema: %s: %w", t.ID, err)
	}
	return b.Bytes(), nil
}

func text(zh, en string, limit int) object {
	return object{"title": zh + " " + en, "type": "string", "pattern": textForm, "minLength": 1, "maxLength": limit}
}

func day(zh, en string) object {
	return object{"title": zh + " " + en, "type": "string", "format": "date", "pattern": dayForm}
}

func holder(t licencetype.Type) object {
	properties := object{"name": text("姓名或名称", "Name", 100), "code": text("证件号码", "Number of the document", 32),
		"code_type": object{"title": "证件类型 Kind of document (GB/T 36903)", "enum": t.HolderCodes},
		"reference": text("本机关的持证主体编号", "The authority's own reference of the holder", 64)}
	required := []string{"name", "code", "code_type"}
	if t.Representative != "" {
		properties["representative"] = object{"title": "法定代表人 Who acts for the holder", "type": "object", "additionalProperties": false,
			"required": []string{"name", "code", "code_type"},
			"properties": object{"name": text("姓名", "Name", 100), "code": text("证件号码", "Number of the document", 32),
				"code_type": object{"enum": licencetype.PersonCodes}}, "allOf": codes(licencetype.PersonCodes)}
	}
	if t.Representative == "required" {
		required = append(required, "representative")
	}
	return object{"title": "持证主体 Holder", "type": "object", "additionalProperties": false, "required": required, "properties": properties,
		"allOf": codes(t.HolderCodes)}
}

// codes are the forms of numbers by the kind of document.
func codes(kinds []string) []any {
	out := []any{}
	for _, c := range []struct{ kind, form string }{{"111", `^[0-9]{17}[0-9X]$`}, {"001", `^[0-9A-HJ-NP-RTUWXY]{18}$`}} {
		if slices.Contains(kinds, c.kind) {
			out = append(out, object{"if": object{"properties": object{"code_type": object{"const": c.kind}}},
				"then": object{"properties": object{"code": object{"pattern": c.form}}}})
		}
	}
	return out
}

func field(f licencetype.Field) object {
	title := f.Text["zh"] + " " + f.Text["en"]
	switch f.Kind {
	case "date":
		return day(f.Text["zh"], f.Text["en"])
	case "enum":
		return object{"title": title, "enum": f.Values}
	case "list":
		return object{"title": title, "type": "array", "items": object{"enum": f.Values}, "minItems": 1, "uniqueItems": true}
	case "image":
		media := f.Media
		if len(media) == 0 {
			media = []string{licencetype.JPEG, licencetype.PNG}
		}
		return object{"title": title, "type": "string", "contentEncoding": "base64", "contentMediaType": strings.Join(media, ","),
			"description": fmt.Sprintf("%s, at most %d bytes, in standard base64 with padding", strings.Join(media, " or "), licencetype.MaxImage),
			"pattern":     "^[A-Za-z0-9+/]+={0,2}$", "maxLength": base64.StdEncoding.EncodedLen(licencetype.MaxImage)}
	}
	limit := f.Max
	if limit == 0 {
		limit = 200
	}
	out := text(f.Text["zh"], f.Text["en"], limit)
	if f.Pattern != "" {
		out["allOf"] = []any{object{"pattern": "^(?:" + f.Pattern + ")$", "description": f.Hint}}
	}
	return out
}
