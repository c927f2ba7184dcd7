package main

import (
	"fmt"

	"github.com/hufu-id/hufu/web/messages"
)

// bundleWords are the sentences of hufu verify and hufu bundle in both languages; %s and %d as in fmt.
var bundleWords = map[string]messages.Text{
	"no_root":      {ZH: "没有给出信任根（--root）：什么都不能信任。", EN: "No root of trust was given (--root): nothing is trusted."},
	"no_bundle":    {ZH: "没有给出信任包（--bundle）：什么都不能信任。", EN: "No trust bundle was given (--bundle): nothing is trusted."},
	"bad_root":     {ZH: "信任根文件不能用。请重新取得，并核对指纹。", EN: "The root of trust can't be used. Get it again and compare its fingerprint."},
	"malformed":    {ZH: "这个文件不是信任包，或者已损坏。请重新取得。", EN: "The file is not a trust bundle, or it is damaged. Get it again."},
	"too_large":    {ZH: "文件超过了信任包允许的大小。", EN: "The file is larger than a trust bundle may be."},
	"untrusted":    {ZH: "信任包不是由这个信任根签署的，不予采信。", EN: "The trust bundle is not signed by this root: it is not believed."},
	"expired":      {ZH: "信任包已过期。请换用新的信任包，或检查本机时钟。", EN: "The trust bundle has expired. Get a newer one, or check this computer's clock."},
	"clock_behind": {ZH: "本机时钟早于信任包的发布时间：时钟不准。请校准后再试。", EN: "This computer's clock is earlier than the trust bundle: the clock is wrong. Set it and try again."},
	"rollback":     {ZH: "这个信任包比已安装的旧，或版本相同而内容不同，不予安装。", EN: "This trust bundle is older than the one installed, or has the same version and says something else: not installed."},

	"verified":     {ZH: "已核对：由给定的信任根签署", EN: "Verified: signed by the given root"},
	"not_verified": {ZH: "未核对：没有给出信任根（--root），以下内容不可采信", EN: "NOT VERIFIED: no root of trust was given (--root); do not rely on what follows"},
	"version":      {ZH: "版本", EN: "version"},
	"digest":       {ZH: "摘要", EN: "digest"},
	"root":         {ZH: "信任根", EN: "root"},
	"root_value":   {ZH: "第 %d 版，指纹 SHA-256", EN: "version %d, fingerprint SHA-256"},
	"compare":      {ZH: "请用另外的渠道（电话、公文）核对指纹。", EN: "Compare the fingerprint by another way (telephone, letter)."},
	"as_of":        {ZH: "发布", EN: "published"},
	"expires":      {ZH: "到期", EN: "expires"},
	"age":          {ZH: "%s，%s前", EN: "%s, %s ago"},
	"left":         {ZH: "%s，还有 %s", EN: "%s, %s left"},
	"over":         {ZH: "%s，已过 %s", EN: "%s, %s past"},
	"roles":        {ZH: "签署角色", EN: "roles"},
	"issuers":      {ZH: "签发机关", EN: "issuers"},
	"may_issue":    {ZH: "可签发 %s", EN: "may issue %s"},
	"nothing":      {ZH: "目前无权签发", EN: "may issue nothing"},
	"revoked_keys": {ZH: "已停用的密钥 %d 个", EN: "%d withdrawn keys"},
	"types":        {ZH: "证照类型", EN: "types"},
	"lists":        {ZH: "状态名单", EN: "status lists"},
	"list_value":   {ZH: "%s  签发 %s，%s前", EN: "%s  issued %s, %s ago"},
	"anchors":      {ZH: "信任锚", EN: "anchors"},
	"iaca":         {ZH: "mdoc 签发根（IACA），指纹 SHA-256", EN: "root of mdocs (IACA), fingerprint SHA-256"},
	"installed":    {ZH: "已安装信任包第 %d 版，发布于 %s。", EN: "Installed trust bundle version %d of %s."},
	"same":         {ZH: "该信任包已经安装，没有变化。", EN: "This trust bundle is installed already; nothing changed."},
	"written":      {ZH: "已写入 %s（第 %d 版，发布于 %s）。", EN: "Wrote %s (version %d of %s)."},
	"root_written": {ZH: "已写入信任根 %s，指纹 SHA-256：", EN: "Wrote the root of trust %s, fingerprint SHA-256:"},
	"unchecked":    {ZH: "没有给出信任根（--root）：只取回，没有核对签署者。", EN: "No root of trust was given (--root): fetched, but nobody checked who signed it."},
	"no_diff":      {ZH: "内容相同。", EN: "The contents are the same."},
}

// say writes a sentence in the language.
func say(lang, key string, args ...any) string {
	text, _ := bundleWords[key].In(messages.Lang(lang))
	if text == "" {
		return key
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
