package web

import "strings"

// Views add to a page what its template needs and its caller should not have to know: control ids, defaults, lookups.

// tile is a province as it is listed.
type tile struct {
	Province
	Used bool // the remembered one
}

// ShortName is the name without 省 or 市, as people say it.
func (t tile) ShortName() Text {
	zh := t.Name.ZH
	if strings.HasSuffix(zh, "兵团") {
		return Text{ZH: "兵团", EN: t.Name.EN}
	}
	for _, end := range []string{"维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市"} {
		if s, ok := strings.CutSuffix(zh, end); ok {
			return Text{ZH: s, EN: t.Name.EN}
		}
	}
	return t.Name
}

// ListName is the name in a list: the autonomous regions go by their short names, so that names fit beside each other.
func (t tile) ListName() Text {
	if strings.HasSuffix(t.Name.ZH, "自治区") {
		return t.ShortName()
	}
	return t.Name
}

// regionView is a Region of tiles.
type regionView struct {
	Region
	Provinces []tile
}

// needs is the required level in words.
type needs struct{ Level, Short, Why Text }

// docketView is a Docket with its level in words.
type docketView struct {
	Docket
	Needs *needs
}

// chooserView is the chooser. Listed is the one list of the senior page: what was found, or the provinces of the opened region.
type chooserView struct {
	ChooserPage
	Docket     docketView
	Remembered *tile
	Regions    []regionView
	Results    []tile
	Listed     []tile
	ListName   Text
	IDOnButton bool // the remembered province is in no list of this page, so its button carries the control id
}

func newChooserView(page ChooserPage, region string) chooserView {
	v := chooserView{ChooserPage: page, Docket: docketView{Docket: page.Docket}, IDOnButton: true}
	if acr := page.Docket.RequiredACR; acr == "loa1" || acr == "loa2" || acr == "loa3" || acr == "loa4" {
		v.Docket.Needs = &needs{Level: Say("docket."+acr, nil), Short: LevelText(acr), Why: page.Docket.Why}
		if page.Docket.Why.IsZero() {
			v.Docket.Needs.Why = Say("why."+acr, nil)
		}
	}
	used := ""
	if page.Remembered != nil {
		v.Remembered, used = &tile{*page.Remembered, true}, page.Remembered.Code
	}
	for _, r := range page.Regions {
		rv := regionView{Region: r, Provinces: v.tiles(r.Provinces, used, len(page.Results) == 0)}
		v.Regions = append(v.Regions, rv)
		if r.Code == region && region != "" {
			v.Listed, v.ListName = rv.Provinces, r.Name
		}
	}
	v.Results = v.tiles(page.Results, used, true)
	if len(v.Results) > 0 {
		v.Listed, v.ListName = v.Results, Say("chooser.results", nil)
	}
	return v
}

// tiles makes tiles and notes whether a list that is shown holds the remembered province.
func (v *chooserView) tiles(provinces []Province, used string, shown bool) []tile {
	var all []tile
	for _, p := range provinces {
		all = append(all, tile{p, p.Code == used})
		if shown && p.Connected && p.Code == used {
			v.IDOnButton = false
		}
	}
	return all
}

// item is a GivenItem with its control id.
type item struct {
	GivenItem
	ID string
}

// consentView is a consent page with its items in order: required ones first.
type consentView struct {
	ConsentPage
	Items         []item
	RequiredItems []item
	HasOptional   bool
	HasNew        bool
}

func newConsentView(page ConsentPage) consentView {
	v := consentView{ConsentPage: page}
	var optional []item
	for _, g := range page.Given {
		if g.Label.IsZero() {
			g.Label = ClaimLabel(g.Key)
		}
		if g.Checkbox == "" {
			g.Checkbox = "share-" + g.Key
		}
		v.HasNew = v.HasNew || g.New
		if it := (item{g, "item-" + g.Key}); g.Required || page.Notice {
			it.Required = true
			v.RequiredItems = append(v.RequiredItems, it)
		} else {
			optional = append(optional, it)
		}
	}
	v.HasOptional = len(optional) > 0
	v.Items = append(append(v.Items, v.RequiredItems...), optional...)
	return v
}

// licenceRow is a licence with its control id.
type licenceRow struct {
	LicenceView
	ControlID string
}

// StatusClass is the style of the status word.
func (l licenceRow) StatusClass() string {
	switch l.Tone {
	case ToneOK:
		return "yes"
	case ToneWarn:
		return "hm"
	}
	return "no"
}
