package correctionpages

import (
	"strconv"

	"github.com/hufu-id/hufu/web"
)

// OtherField is the word for what is no entry of the licence.
func OtherField() web.Text { return web.Say("correction.other", nil) }

// ListTitle names the list of reports.
func ListTitle() web.Text { return web.Say("correction.list.title", nil) }

// ToWallet is the way back to the wallet.
func ToWallet() web.Text { return web.Say("correction.wallet", nil) }

// NoField says that no entry was chosen.
func NoField() web.Text { return web.Say("correction.field.none", nil) }

// NoText says that nothing was written.
func NoText() web.Text { return web.Say("correction.text.none", nil) }

// OddText says that the text holds what can't be read.
func OddText() web.Text { return web.Say("correction.text.odd", nil) }

// LongText says by how many characters a text is too long.
func LongText(over, limit int) web.Text {
	return web.Say("correction.text.long", web.Args{"over": web.Plain(strconv.Itoa(over)), "max": web.Plain(strconv.Itoa(limit))})
}

// TooMany says that n reports of a licence wait for an answer. Status and Next are the caller's.
func TooMany(licence web.Text, n int) web.ProblemPage {
	return web.ProblemPage{Title: web.Say("correction.full.title", nil),
		Cause: web.Say("correction.full.cause", web.Args{"licence": licence, "n": web.Plain(strconv.Itoa(n))}),
		Safe:  web.Say("correction.full.safe", nil), Step: web.Say("correction.full.step", nil), KindText: web.Say("correction.full.kind", nil)}
}
