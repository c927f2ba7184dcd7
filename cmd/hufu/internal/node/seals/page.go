package seals

import (
	"net/http"

	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/sealpages"
)

// Show shows a seal to a browser.
func Show(pages *web.Pages) sealapi.Page {
	p := sealpages.Pages{Pages: pages}
	return func(w http.ResponseWriter, r *http.Request, x eseal.Public, found bool) {
		if !found {
			p.NotFound(w, r)
			return
		}
		p.Seal(w, r, page(x))
	}
}

// page turns what everybody may know of a seal into its page.
func page(x eseal.Public) sealpages.Page {
	out := sealpages.Page{ID: x.ID, Name: web.Text{ZH: x.Name}, Owner: web.Text{ZH: x.OwnerName}, OwnerCode: x.Owner, Maker: web.Text{ZH: x.MakerName.ZH, EN: x.MakerName.EN}, MakerCode: x.Maker,
		ValidFrom: x.ValidFrom, ValidTo: x.ValidTo, Now: sealpages.StateOf(string(x.State), x.StateSince)}
	kind, _ := sealvc.KindNamed(x.Kind)
	out.Kind = web.Text{ZH: kind.ZH, EN: kind.EN}
	for _, id := range x.DocumentKinds {
		k, _ := sealvc.DocumentKindNamed(id)
		out.DocumentKinds = append(out.DocumentKinds, web.Text{ZH: k.ZH, EN: k.EN})
	}
	for _, c := range x.History {
		out.History = append(out.History, sealpages.StateOf(string(c.To), c.EffectiveAt))
	}
	if x.Picture {
		out.Picture = "/seals/" + x.ID + "/picture"
	}
	return out
}
