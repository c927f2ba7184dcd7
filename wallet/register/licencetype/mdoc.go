package licencetype

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MDoc says how a licence of the type becomes a mobile document (mdoc). ISO/IEC 18013-5.
type MDoc struct {
	// DocType is "org.iso.18013.5.1.mDL" or one of our own, "cn.hufu.<type>.<version>".
	DocType  string    `json:"doc_type"`
	Elements []Element `json:"elements"`
}

// Element is one data element.
type Element struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Source is as that of a Claim; empty for a constant, which is Else.
	Source string `json:"source,omitempty"`
	// As is the form of the value: "text", "full-date", "bytes" (of an image), "list" (of texts), "sex" (ISO/IEC 5218) or
	// "driving-privileges" (of vehicle classes, by Categories).
	As string `json:"as"`
	// Else is the value if the licence has none, in the spelling of the source.
	Else string `json:"else,omitempty"`
	// Optional: the document can do without this element.
	Optional bool `json:"optional,omitempty"`
	// Categories are the vehicle categories of ISO/IEC 18013-1 for vehicle classes. A class that isn't here has no counterpart.
	Categories map[string]Category `json:"categories,omitempty"`
}

// Category is a vehicle category with an optional restriction code. ISO/IEC 18013-1, annex B; ISO/IEC 18013-5, 7.2.4.
type Category struct {
	Category string `json:"category"`
	Code     string `json:"code,omitempty"`
}

// NameSpace is a namespace of a document with its elements in the order of the type.
type NameSpace struct {
	Name     string
	Elements []ElementValue
}

// ElementValue is the value of one element: string, int64, []byte, Date (a full-date), []any or map[string]any.
type ElementValue struct {
	ID    string
	Value any
}

// Elements returns the elements of a licence as a mobile document, by namespace; false if the type has no such form, or the licence
// lacks an element that the document must have, as one that was registered under an older version may.
func (t Type) Elements(l Values) ([]NameSpace, bool) {
	if t.MDoc == nil {
		return nil, false
	}
	var out []NameSpace
	for _, e := range t.MDoc.Elements {
		v, ok := e.value(l)
		switch {
		case !ok && e.Optional:
			continue
		case !ok:
			return nil, false
		}
		i := slices.IndexFunc(out, func(n NameSpace) bool { return n.Name == e.Namespace })
		if i < 0 {
			i = len(out)
			out = append(out, NameSpace{Name: e.Namespace})
		}
		out[i].Elements = append(out[i].Elements, ElementValue{e.Name, v})
	}
	return out, true
}

func (e Element) value(l Values) (any, bool) {
	var v any
	if e.Source != "" {
		v = l.Value(e.Source)
	}
	if v == nil && e.Else != "" {
		v = e.Else
	}
	if items, ok := v.([]string); ok {
		return e.listValue(items, l)
	}
	text, ok := v.(string)
	if !ok {
		return nil, false
	}
	switch e.As {
	case "full-date":
		return Date(text), true
	case "bytes":
		b, err := decodeImage(text)
		return b, err == nil
	case "sex":
		n, ok := map[string]int64{"male": 1, "female": 2}[text]
		return n, ok
	}
	return text, e.As == "text"
}

func (e Element) listValue(items []string, l Values) (any, bool) {
	out := []any{}
	if e.As == "list" {
		for _, item := range items {
			out = append(out, item)
		}
		return out, true
	}
	var seen []Category
	for _, item := range items {
		c, ok := e.Categories[item]
		if !ok || slices.Contains(seen, c) {
			continue
		}
		seen = append(seen, c)
		privilege := map[string]any{"vehicle_category_code": c.Category}
		if c.Code != "" {
			privilege["codes"] = []any{map[string]any{"code": c.Code}}
		}
		if day, ok := l.Value("licence.valid_to").(string); ok {
			privilege["expiry_date"] = Date(day)
		}
		out = append(out, privilege)
	}
	return out, e.As == "driving-privileges"
}

// sourceKinds says which kinds of a source an element may be made of; "" stands for the sources that are no fields.
var sourceKinds = map[string][]string{"text": {"text", "enum", "date", ""}, "full-date": {"date", ""}, "bytes": {"image"}, "list": {"list"},
	"sex": {"enum"}, "driving-privileges": {"list"}}

func (t Type) checkMDoc() error {
	if t.MDoc == nil {
		return nil
	}
	if t.MDoc.DocType == "" || len(t.MDoc.Elements) == 0 {
		return fmt.Errorf("mdoc needs a doc_type and elements")
	}
	seen := map[string]bool{}
	for _, e := range t.MDoc.Elements {
		if e.Namespace == "" || e.Name == "" || seen[e.Namespace+"\n"+e.Name] {
			return fmt.Errorf("element %q has no name or namespace, or is there twice", e.Name)
		}
		seen[e.Namespace+"\n"+e.Name] = true
		if err := t.checkElement(e); err != nil {
			return fmt.Errorf("element %s: %w", e.Name, err)
		}
	}
	return nil
}

func (t Type) checkElement(e Element) error {
	kinds, ok := sourceKinds[e.As]
	switch {
	case !ok:
		return fmt.Errorf("as %q is none of %s", e.As, strings.Join(slices.Sorted(maps.Keys(sourceKinds)), ", "))
	case e.Source == "" && e.Else == "":
		return fmt.Errorf("it has neither source nor else")
	case e.Source == "":
		return nil
	case t.kind(e.Source) == "" && !slices.Contains(OwnSources, e.Source):
		return fmt.Errorf("unknown source %q", e.Source)
	case !slices.Contains(kinds, t.kind(e.Source)):
		return fmt.Errorf("a source of the kind %q can't be %s", t.kind(e.Source), e.As)
	case e.As == "driving-privileges" && len(e.Categories) == 0:
		return fmt.Errorf("categories are needed")
	}
	if !e.Optional && e.Else == "" {
		if !t.always(e.Source) {
			return fmt.Errorf("it is mandatory, its source isn't: say optional or else")
		}
	}
	return nil
}

// always says whether every record of this version has a source.
func (t Type) always(source string) bool {
	name, isField := strings.CutPrefix(source, "fields.")
	if !isField {
		return source != "licence.valid_to" && (source != "representative.name" || t.Representative == "required")
	}
	return slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Name == name && f.Required })
}
