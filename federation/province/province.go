// Package province is the list of the 32 regional platforms of the national login (31 provinces, municipalities and
// autonomous regions of GB/T 2260, and the Xinjiang Production and Construction Corps), as data with a search over it.
//
// Hong Kong, Macao and Taiwan are not in it: people from there log in with a residence or travel permit, not at a regional
// platform. Pure: no I/O, no globals that change.
package province

// Code is a province's six-digit code of GB/T 2260 ("440000"); the Corps uses 660000.
type Code string

// Region is one of the six groups in which the list is shown, in GB/T 2260 order (first digit of the code).
type Region struct {
	Key    string // "north", "northeast", "east", "south-central", "southwest", "northwest"
	ZH, EN string
}

// Province is one regional platform.
type Province struct {
	Code     Code
	Name     string   // 广东省
	Short    string   // 广东, 内蒙古: as one says it, without 省, 市 or 自治区
	English  string   // Guangdong
	Letters  string   // GD: the letter code of GB/T 2260 (ISO 3166-2:CN)
	Abbr     string   // 粤: the 简称 shown in the square
	AltAbbr  string   // 蜀 for 川: a second 简称 that people type; else ""
	Pinyin   string   // guangdong: of Short, lower case, no spaces
	Initials string   // gd: of Short
	App      string   // 粤省事: the app that people know
	AltApps  []string // further app names that people type
	Region   string   // Region.Key
}

// All returns the 32 entries, grouped by region and in order of code inside. The caller may change the slice.
func All() []Province { return append([]Province(nil), all...) }

// Regions returns the six regions in the order of All.
func Regions() []Region { return append([]Region(nil), regions...) }

// Lookup finds a province by its exact code.
func Lookup(c Code) (Province, bool) {
	i, ok := byCode[c]
	if !ok {
		return Province{}, false
	}
	return all[i], true
}

var byCode = func() map[Code]int {
	m := make(map[Code]int, len(all))
	for i, p := range all {
		m[p.Code] = i
	}
	return m
}()
