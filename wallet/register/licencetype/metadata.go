package licencetype

import (
	"bytes"
	"encoding/json"
	"slices"
)

type metadataDisplay struct {
	Locale      string `json:"locale"`
	Name        string `json:"name,omitempty"`
	Label       string `json:"label,omitempty"`
	Description string `json:"description,omitempty"`
	// Rendering is that of the display of a type. SD-JWT VC -13, section 8.1.
	Rendering *rendering `json:"rendering,omitempty"`
}

type rendering struct {
	Simple    simpleRendering `json:"simple"`
	Templates []svgTemplate   `json:"svg_templates"`
}

type simpleRendering struct {
	BackgroundColor string `json:"background_color"`
	TextColor       string `json:"text_color"`
}

type svgTemplate struct {
	URI        string        `json:"uri"`
	Integrity  string        `json:"uri#integrity"`
	Properties svgProperties `json:"properties"`
}

type svgProperties struct {
	Orientation string `json:"orientation"`
	ColorScheme string `json:"color_scheme"`
	Contrast    string `json:"contrast"`
}

type metadataClaim struct {
	Path      []string          `json:"path"`
	Display   []metadataDisplay `json:"display"`
	Mandatory bool              `json:"mandatory,omitempty"`
	SD        string            `json:"sd"`
	// SVGID is the placeholder of the claim in the templates. SD-JWT VC -13, section 9.
	SVGID string `json:"svg_id,omitempty"`
}

// locales are the languages of the metadata, by our names of languages.
var locales = []struct{ locale, lang string }{{"zh-Hans", "zh"}, {"en", "en"}}

func (t Type) rendering() *rendering {
	if len(t.Templates) == 0 {
		return nil
	}
	r := &rendering{Simple: simpleRendering{BackgroundColor: t.Card.Background(false), TextColor: "#1b1f24"}}
	for _, x := range t.Templates {
		r.Templates = append(r.Templates, svgTemplate{URI: t.VCT + "/" + x.Name, Integrity: x.Integrity,
			Properties: svgProperties{Orientation: "landscape", ColorScheme: x.ColorScheme, Contrast: "normal"}})
	}
	return r
}

// metadata builds the type metadata document of SD-JWT VC. Its bytes are pinned by every credential issued: whatever changes them needs
// a new version of the type. SD-JWT VC -13, section 6.
func (t Type) metadata() ([]byte, error) {
	doc := struct {
		VCT         string            `json:"vct"`
		Name        string            `json:"name"`
		Description string            `json:"description,omitempty"`
		Display     []metadataDisplay `json:"display"`
		Claims      []metadataClaim   `json:"claims"`
	}{VCT: t.VCT, Name: t.Name["en"], Description: t.Description["en"]}
	for _, l := range locales {
		doc.Display = append(doc.Display, metadataDisplay{Locale: l.locale, Name: t.Name[l.lang], Description: t.Description[l.lang], Rendering: t.rendering()})
	}
	for _, c := range t.Claims {
		mc := metadataClaim{Path: []string{c.Name}, Mandatory: c.Mandatory, SD: "never"}
		if c.SelectivelyDisclosable {
			mc.SD = "always"
		}
		if t.Card != nil && slices.Contains(t.Card.Drawn(), c.Name) {
			mc.SVGID = c.Name
		}
		for _, l := range locales {
			mc.Display = append(mc.Display, metadataDisplay{Locale: l.locale, Label: c.Text[l.lang]})
		}
		doc.Claims = append(doc.Claims, mc)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
