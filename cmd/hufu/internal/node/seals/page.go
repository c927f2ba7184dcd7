package seals

import (
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/sealpages"
)

// Page turns what everybody may know of a seal into its page.
func Page(x eseal.Public) sealpages.Page {
	page := sealpages.Page{ID: x.ID, Name: web.Text{ZH: x.Name}, Owner: web.Text{ZH: x.OwnerName}, OwnerCode: x.Owner, Maker: web.Text{ZH: x.MakerName.ZH, EN: x.MakerName.EN}, MakerCode: x.Maker,
		ValidFrom: x.ValidFrom, ValidTo: x.ValidTo, Now: sealpages.StateOf(string(x.State), x.StateSince)}
	kind, _ := sealvc.KindNamed(x.Kind)
	page.Kind = web.Text{ZH: kind.ZH, EN: kind.EN}
	for _, id := range x.DocumentKinds {
		k, _ := sealvc.DocumentKindNamed(id)
		page.DocumentKinds = append(page.DocumentKinds, web.Text{ZH: k.ZH, EN: k.EN})
	}
	for _, c := range x.History {
		page.History = append(page.History, sealpages.StateOf(string(c.To), c.EffectiveAt))
	}
	if x.Picture {
		page.Picture = "/seals/" + x.ID + "/picture"
	}
	return page
}
