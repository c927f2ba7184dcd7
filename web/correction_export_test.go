package web

import "testing"

// CheckStructure checks what must hold for every page, for pages whose views lie in a package of their own.
func CheckStructure(t *testing.T, body []byte, lang, mode string) {
	t.Helper()
	d, v := parsePage(t, body), variant{lang, mode}
	checkFrame(t, d, v)
	checkNothingActive(t, d)
	checkReferences(t, d)
	checkControls(t, d)
	checkLanguage(t, d, v)
}

// Cookies of the reader's choices.
const (
	LangCookie = langCookie
	ModeCookie = modeCookie
)
