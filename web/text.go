package web

import (
	"github.com/hufu-id/hufu/web/messages"
)

// Text is one piece of text in Chinese and English; see messages.Text. Registered names, labels and values come as Text, so one
// view serves both languages.
type Text = messages.Text

// Lang is a page language.
type Lang = messages.Lang

// Args are the named arguments of a catalogue message.
type Args = messages.Args

// The page languages.
const (
	ZH = messages.ZH
	EN = messages.EN
)

// Plain is text that is the same in every language and needs no translation, such as a code or a number. For a person's name use
// Text{ZH: name}, so that English pages mark it as Chinese.
func Plain(s string) Text { return Text{ZH: s, EN: s} }
