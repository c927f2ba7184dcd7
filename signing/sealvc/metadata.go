package sealvc

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

type display struct {
	Locale      string `json:"locale"`
	Name        string `json:"name,omitempty"`
	Label       string `json:"label,omitempty"`
	Description string `json:"description,omitempty"`
}

type claim struct {
	Path      []string  `json:"path"`
	Display   []display `json:"display"`
	Mandatory bool      `json:"mandatory,omitempty"`
	SD        string    `json:"sd"`
}

// Metadata is the SD-JWT VC type metadata document for vct. Its bytes are pinned by every seal: whatever changes them needs a new version in Path.
func Metadata(vct string) []byte {
	doc := struct {
		VCT     string    `json:"vct"`
		Name    string    `json:"name"`
		Display []display `json:"display"`
		Claims  []claim   `json:"claims"`
	}{VCT: vct, Name: "E-seal", Display: []display{
		{Locale: "zh-Hans", Name: "电子印章", Description: "由制章机构签发，载明印章归属与可用印的证书"},
		{Locale: "en", Name: "E-seal", Description: "Issued by a seal maker: whose seal it is and which certificates may use it"},
	}}
	for _, c := range []struct {
		name, zh, en string
		optional     bool
	}{
		{name: "seal_id", zh: "印章编码", en: "Seal number"},
		{name: "kind", zh: "印章类型", en: "Kind of seal"},
		{name: "name", zh: "印章名称", en: "Name of the seal"},
		{name: "owner", zh: "所属单位", en: "Owner"},
		{name: "picture", zh: "印章图像", en: "Picture", optional: true},
		{name: "document_kinds", zh: "适用文书", en: "Kinds of document"},
		{name: "valid_from", zh: "有效期起", en: "Valid from"},
		{name: "valid_to", zh: "有效期止", en: "Valid to"},
		{name: "signers", zh: "用印证书", en: "Signing certificates"},
	} {
		doc.Claims = append(doc.Claims, claim{Path: []string{c.name}, Mandatory: !c.optional, SD: "never",
			Display: []display{{Locale: "zh-Hans", Label: c.zh}, {Locale: "en", Label: c.en}}})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(doc) // of strings and booleans: it can't fail
	return b.Bytes()
}

// Integrity is what a credential says of the metadata in vct#integrity (W3C Subresource Integrity).
func Integrity(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(h[:])
}
