package counter

import (
	"net/http"
	"net/url"

	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
	"github.com/hufu-id/hufu/web/messages"
)

// ask shows the page that asks and takes the answer.
func (c *Counter) ask(w http.ResponseWriter, r *http.Request) {
	c.askPage(w, r, http.StatusOK, r.URL.Query().Get("request"), web.Text{})
}

func (c *Counter) askPage(w http.ResponseWriter, r *http.Request, status int, purpose string, problem web.Text) {
	now := c.cfg.Now()
	asked := c.request(purpose)
	nonce := c.nonces.make(now)
	page := counterpages.AskPage{Link: c.askLink(asked, nonce), Nonce: nonce, Audience: c.audience, Until: now.Add(NonceLife), Trust: c.trust.warning(now),
		Problem: problem, Action: Path + "/check", CSRF: c.formToken(), Purpose: asked.Purpose}
	for _, q := range c.cfg.Requests {
		page.Choices = append(page.Choices, counterpages.Choice{Name: q.Name, Href: "?" + url.Values{"request": {q.Purpose}}.Encode(), Current: q == asked})
	}
	// The camera is for this page alone.
	w.Header().Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()")
	c.cfg.Pages.Ask(w, r, status, page)
}

// request finds what a page asks for; the first one for anything else.
func (c *Counter) request(purpose string) Request {
	for _, q := range c.cfg.Requests {
		if q.Purpose == purpose {
			return q
		}
	}
	return c.cfg.Requests[0]
}

// askLink leads the holder to the hosted wallet, which shows who asks, for what, and answers this nonce.
func (c *Counter) askLink(q Request, nonce string) string {
	return c.cfg.National + "/wallet/ask?" + url.Values{"asker": {c.cfg.ClientID}, "audience": {c.audience}, "nonce": {nonce}, "type": {q.Type}, "purpose": {q.Purpose}}.Encode()
}

// purposeName is a purpose in words; the id itself when this counter doesn't ask for it.
func (c *Counter) purposeName(id string) web.Text {
	for _, q := range c.cfg.Requests {
		if q.Purpose == id {
			return q.Name
		}
	}
	if id == Chosen {
		return web.Say("counter.chosen", nil)
	}
	if key := "counter.purpose." + id; messages.Has(key) {
		return web.Say(key, nil) // a preset of the national wallet
	}
	return web.Plain(id)
}
