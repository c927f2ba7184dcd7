// Package sample is the invented world of `hufu dev`, `hufu demo` and the tests: people, provinces, departments and
// organisations, as data and as small running services.
//
// All identifiers have valid check characters and the division prefix 99, which no place has: nobody real can be meant. The
// services are separate programs in spirit: a province is an OpenID Provider with its own keys, a department a relying party
// on another library, and neither knows more of the national server than its published metadata.
package sample

import (
	"slices"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/web"
)

// Person is one invented person and her account at a province.
type Person struct {
	Slug       string // pinyin: li-xiuying; stable, used in control ids and commands
	Name       string
	English    string
	ResidentID string         // GB 11643, prefix 99
	Province   string         // six digits: where the account is, which need not be where the person was registered
	Provinces  []string       // all provinces with an account, Province first
	Level      upstream.Level // that the province asserts
	Birthdate  string         // YYYY-MM-DD
	Gender     string         // "female", "male"
	Phone      string         // E.164
	Story      web.Text       // one line for the start page
}

// At tells whether the person has an account at a province.
func (p Person) At(province string) bool { return slices.Contains(p.Provinces, province) }

// ProvinceInfo is one sample province.
type ProvinceInfo struct {
	Code    string
	Name    string
	English string
	App     string
	Ceiling upstream.Level            // highest level that the national server admits it for
	Levels  map[string]upstream.Level // its own acr values and what they stand for, as agreed when it joined
	Port    int                       // offset from the port base
	Hue     string                    // colour of its pages: looks like itself, not like the national server
}

// acr is the province's word for a level.
func (p ProvinceInfo) acr(level upstream.Level) string {
	for word, l := range p.Levels {
		if l == level {
			return word
		}
	}
	return ""
}

// DepartmentKind selects what a sample department offers.
type DepartmentKind string

// The two sample departments.
const (
	TrafficPolice    DepartmentKind = "traffic-police"
	MarketRegulation DepartmentKind = "market-regulation"
)

// DepartmentInfo is one sample department: a relying party, and the issuing authority of the same name.
type DepartmentInfo struct {
	Kind     DepartmentKind
	Name     string
	English  string
	Code     string // credit code
	ClientID string // at the national server
	Service  web.Text
	Scopes   []string
	Port     int // offset from the port base
}

// Organisation is an invented firm or body.
type Organisation struct {
	Code    string // credit code
	Name    string
	English string
	Role    string // "firm", "issuer", "ministry", "seal maker"
}

// World is the whole sample world. It is data: the caller may change its copy.
type World struct {
	People        []Person
	Provinces     []ProvinceInfo
	Departments   []DepartmentInfo
	Organisations []Organisation
}

// Person finds a person by slug.
func (w World) Person(slug string) (Person, bool) {
	i := slices.IndexFunc(w.People, func(p Person) bool { return p.Slug == slug })
	if i < 0 {
		return Person{}, false
	}
	return w.People[i], true
}

// Province finds a province by its six digits.
func (w World) Province(code string) (ProvinceInfo, bool) {
	i := slices.IndexFunc(w.Provinces, func(p ProvinceInfo) bool { return p.Code == code })
	if i < 0 {
		return ProvinceInfo{}, false
	}
	return w.Provinces[i], true
}

// Department finds a department by kind.
func (w World) Department(kind DepartmentKind) (DepartmentInfo, bool) {
	i := slices.IndexFunc(w.Departments, func(d DepartmentInfo) bool { return d.Kind == kind })
	if i < 0 {
		return DepartmentInfo{}, false
	}
	return w.Departments[i], true
}

// PeopleOf lists the people with an account at a province.
func (w World) PeopleOf(code string) []Person {
	var out []Person
	for _, p := range w.People {
		if p.At(code) {
			out = append(out, p)
		}
	}
	return out
}
