// Package licencetype holds the types of licences, one JSON file for each version, and what is made of them: SD-JWT VC type metadata, claims,
// elements of mobile documents. Pure.
package licencetype

import (
	"regexp"
	"time"
)

// Type defines a kind of licence: what a record must hold, what a credential says and what the holder may keep back. It is
// read from types/<id>/<version>.json and never changes within a version: its metadata are pinned in credentials by hash. All versions
// stay loaded, served and in the trust bundle; the newest is the one that records are checked against and credentials are issued of.
type Type struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	// Name is by language: "zh" and "en".
	Name        map[string]string `json:"name"`
	Description map[string]string `json:"description"`
	// TypeCode is the credit code of the defining body and three digits: the second part of a licence identifier.
	TypeCode string `json:"type_code"`
	// RequiredACR is the level at which the holder must have logged in to take the licence into a wallet.
	RequiredACR string `json:"required_acr"`
	// CredentialDays is the technical life of a credential; the legal validity is a claim of its own.
	CredentialDays int `json:"credential_days"`
	// HolderBound: the credential carries the wallet's key (cnf), and a verifier asks for its proof.
	HolderBound bool     `json:"holder_bound"`
	HolderCodes []string `json:"holder_codes"`
	Fields      []Field  `json:"fields"`
	Claims      []Claim  `json:"claims"`
	// Presets are choices of claims for common purposes, for a wallet's page that shows. They are no part of the metadata.
	Presets []Preset `json:"presets,omitempty"`

	// Representative says whether a record names who acts for its holder: "required", "optional" or "" for never.
	Representative string `json:"representative,omitempty"`
	// Card is how the licence is drawn; nil for a type without templates.
	Card *Card `json:"card,omitempty"`
	// MDoc is the form of the type as a mobile document; nil if it has none.
	MDoc *MDoc `json:"mdoc,omitempty"`

	// VCT is TypeBase + "/types/" + ID + "/" + Version.
	VCT string `json:"-"`
	// Metadata is the SD-JWT VC type metadata document, byte for byte as served at VCT; Integrity is "sha256-<base64>" of it, the
	// value of vct#integrity.
	Metadata  []byte `json:"-"`
	Integrity string `json:"-"`
	// Templates are the drawings that the metadata name, byte for byte as served below VCT.
	Templates []Template `json:"-"`
}

// PersonCodes are the kinds of documents of people (GB/T 36903): resident identity card, passport, the passes of Taiwan, Hong Kong and Macao
// residents, foreigners' permanent residence card.
var PersonCodes = []string{"111", "414", "511", "516", "553"}

// Card is what stands on the drawn licence.
type Card struct {
	// Hue is that of its colours, 0 to 359 degrees.
	Hue int `json:"hue"`
	// Claims are drawn in this order, the first one large; Wide ones take a row of their own. Image is the claim of the picture, if any.
	Claims []string `json:"claims"`
	Wide   []string `json:"wide,omitempty"`
	Image  string   `json:"image,omitempty"`
}

// Template is an SVG template of SD-JWT VC type metadata, and what it suits.
type Template struct {
	// Name is the last part of its URL, below VCT.
	Name      string
	SVG       []byte
	Integrity string
	// ColorScheme is "light" or "dark".
	ColorScheme string
}

// CredentialLife is the technical life of a credential of this type.
func (t Type) CredentialLife() time.Duration {
	return time.Duration(t.CredentialDays) * 24 * time.Hour
}

// Field is one field of a record.
type Field struct {
	Name string            `json:"name"`
	Text map[string]string `json:"text"`
	// Kind is "text", "date", "enum", "list" (of enum values) or "image" (in strict base64, at most MaxImage bytes).
	Kind     string   `json:"kind"`
	Required bool     `json:"required,omitempty"`
	Values   []string `json:"values,omitempty"`
	// Pattern is a regular expression for the whole text; Hint says in words what it wants.
	Pattern string `json:"pattern,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Max is the most characters of a text; 200 if 0.
	Max int `json:"max,omitempty"`
	// Media are the media types that an image may have; JPEG and PNG if empty.
	Media []string `json:"media,omitempty"`

	form *regexp.Regexp // Pattern, for the whole text
}

// Claim is one claim of a credential. Every claim of our types is at the top level.
type Claim struct {
	Name string            `json:"name"`
	Text map[string]string `json:"text"`
	// Source is where the value comes from: "licence.id", "holder.name", "valid.to", "fields.<name>", ...
	Source string `json:"source"`
	// SelectivelyDisclosable: the holder may keep it back.
	SelectivelyDisclosable bool `json:"sd"`
	// Mandatory: every credential of this type has it (it may still be kept back when presented).
	Mandatory bool `json:"mandatory,omitempty"`
}

// Preset is what a holder shows for one purpose. Claims that can't be kept back are seen anyway and needn't be named.
type Preset struct {
	ID     string            `json:"id"`
	Name   map[string]string `json:"name"`
	Claims []string          `json:"claims"`
}
