package dev

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
)

// Ready is the line that `hufu dev --json` prints. Other programs rely on its names.
type Ready struct {
	Issuer            string          `json:"issuer"`
	CredentialIssuers []string        `json:"credential_issuers"`
	BundleURL         string          `json:"bundle_url"`
	RootURL           string          `json:"root_url"`
	Provinces         []ReadyProvince `json:"provinces"`
	Departments       []ReadyDept     `json:"departments"`
	People            []ReadyPerson   `json:"people"`
	WalletClientID    string          `json:"wallet_client_id"`
	// WalletRedirectURIs and those of Clients are loopback addresses whose port is free.
	WalletRedirectURIs []string      `json:"wallet_redirect_uris"`
	Clients            []ReadyClient `json:"clients"`
	// WalletURL is the citizen's wallet without an app.
	WalletURL string `json:"wallet_url"`
	// WalletProviders are test wallet providers that this world trusts, one for each form of the wallet attestation.
	WalletProviders []ReadyWalletProvider `json:"wallet_providers"`
	// Seals has one seal of each department; the first allows one kind of document only.
	Seals      []ReadySeal      `json:"seals"`
	SealMakers []ReadySealMaker `json:"seal_makers"`
}

// ReadyProvince is one sample province.
type ReadyProvince struct {
	Code string `json:"code"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// ReadyDept is one sample department; KeyFile is for `hufu licence --as`.
type ReadyDept struct {
	Name       string `json:"name"`
	URL        string `json:"url"`
	KeyFile    string `json:"key_file"`
	CounterURL string `json:"counter_url"`
}

// ReadyPerson is one invented person; Province is the province's code.
type ReadyPerson struct {
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	Province string `json:"province"`
}

// ReadyClient is a confidential client for experiments. It has a secret, or a key file for private_key_jwt.
type ReadyClient struct {
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret,omitempty"`
	KeyFile      string   `json:"key_file,omitempty"`
	Profile      string   `json:"profile,omitempty"`
	RedirectURIs []string `json:"redirect_uris"`
	// Resources are the APIs for which it may get tokens (RFC 8707).
	Resources []string `json:"resources,omitempty"`
}

// Ready describes the running world.
func (w *World) Ready() Ready {
	r := Ready{Issuer: w.origin(0), BundleURL: w.origin(0) + "/bundle.zip", RootURL: w.origin(0) + "/bundle/root.json", WalletClientID: WalletClientID, WalletURL: w.origin(0) + "/wallet",
		WalletRedirectURIs: loopbackRedirects(), WalletProviders: w.wallets, Seals: w.seals, SealMakers: w.readySealMakers(),
		Clients: []ReadyClient{{ClientID: experimentClientID, ClientSecret: w.experimentSecret, RedirectURIs: loopbackRedirects()},
			{ClientID: bankClientID, KeyFile: w.bankKeyFile, Profile: "fapi2", RedirectURIs: loopbackRedirects(), Resources: w.apis()}}}
	for _, a := range w.authorities() {
		r.CredentialIssuers = append(r.CredentialIssuers, w.node.Identifier(a.Code))
	}
	for _, p := range w.sample.Provinces {
		r.Provinces = append(r.Provinces, ReadyProvince{Code: p.Code, Name: p.Name, URL: w.origin(p.Port)})
	}
	for _, d := range w.sample.Departments {
		r.Departments = append(r.Departments, ReadyDept{Name: d.Name, URL: w.origin(d.Port), KeyFile: w.keyFiles[d.Kind], CounterURL: w.origin(d.Port) + counter.Path})
	}
	for _, p := range w.sample.People {
		r.People = append(r.People, ReadyPerson{Slug: p.Slug, Name: p.Name, Province: p.Province})
	}
	return r
}

// printReady tells a person what runs where and what to try.
func (w *World) printReady(out io.Writer) error {
	dep, _ := w.sample.Department(sample.TrafficPolice)
	var b strings.Builder
	fmt.Fprintf(&b, "Hufu is running. All people and data are invented.\n\n")
	fmt.Fprintf(&b, "  %s   national server: what to try, the wallet\n", w.origin(0))
	for _, p := range w.sample.Provinces {
		fmt.Fprintf(&b, "  %s   %s %s, sample province\n", w.origin(p.Port), p.Name, p.English)
	}
	for _, d := range w.sample.Departments {
		fmt.Fprintf(&b, "  %s   %s, sample department\n", w.origin(d.Port), d.Name)
	}
	fmt.Fprintf(&b, "\nFirst: open %s, choose to log in, then Guangdong, then 李秀英. There are no passwords.\n", w.origin(dep.Port))
	fmt.Fprintf(&b, "Then:  open %s/wallet, take the driving licence and show it; or move it to a wallet of your own at /licences.\n", w.origin(0))
	fmt.Fprintf(&b, "Check: open %s%s, be the clerk, and paste what she shows.\n", w.origin(dep.Port), counter.Path)
	fmt.Fprintf(&b, "Code:  every loopback address is a client of its own: client_id=http://localhost:3000, PKCE, no secret (docs/clients.md).\n")
	fmt.Fprintf(&b, "In a second terminal:\n")
	for _, c := range w.commands() {
		fmt.Fprintf(&b, "  %s\n", c.Line)
	}
	kept := "Data is kept in " + w.dir + "."
	if w.opts.Ephemeral {
		kept = "Nothing is kept."
	}
	fmt.Fprintf(&b, "\nStop with Ctrl+C. %s\n", kept)
	_, err := io.WriteString(out, b.String())
	return err
}

// commands are lines for a second terminal. Paths with a blank are quoted.
func (w *World) commands() []web.Command {
	as := " --as " + quoted(w.keyFiles[sample.TrafficPolice]) + " --url " + w.origin(0)
	return []web.Command{
		{What: web.Text{ZH: "看交管局登记的证照", EN: "See the licences of the traffic police"}, Line: "go run ./cmd/hufu licence list" + as},
		{What: web.Text{ZH: "给李秀英开一个领证凭据", EN: "Make an offer for Li Xiuying's wallet"}, Line: "go run ./cmd/hufu licence offer --person li-xiuying --type driving-licence" + as},
		{What: web.Text{ZH: "给一个文件盖章", EN: "Seal a file"}, Line: "go run ./cmd/hufu seal sign --seal " + w.seals[0].ID + " --out FILE.jades FILE --as " + quoted(w.seals[0].KeyFile) + " --url " + w.origin(0)},
		{What: web.Text{ZH: "取信任包和它的根", EN: "Fetch the trust bundle and its root"}, Line: "go run ./cmd/hufu bundle export --url " + w.origin(0) + " --out bundle.zip --root-out root.json"},
		{What: web.Text{ZH: "断网也能验证", EN: "Verify, also without a network"}, Line: "go run ./cmd/hufu verify --root root.json --bundle bundle.zip --holder any FILE"},
	}
}

func quoted(path string) string {
	if strings.ContainsAny(path, " '") {
		return strconv.Quote(path)
	}
	return path
}

// home is the national server's home page in the sample world.
func (w *World) home(pages *web.Pages) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		dep, _ := w.sample.Department(sample.TrafficPolice)
		page := web.StartPage{Department: w.origin(dep.Port), DepartmentName: web.Text{ZH: dep.Name, EN: dep.English},
			Province: web.Text{ZH: "广东", EN: "Guangdong"}, Person: web.Text{ZH: "李秀英", EN: "Li Xiuying"}, Wallet: "/wallet", Licences: "/licences", Commands: w.commands(),
			Client: &web.StartClient{Issuer: w.origin(0), ID: experimentClientID, Secret: w.experimentSecret,
				Trail: "/developer/clients/" + experimentClientID, RedirectURIs: loopbackRedirects()[:2]}}
		for _, p := range w.sample.People {
			page.People = append(page.People, web.StartPerson{Name: web.Text{ZH: p.Name, EN: p.English}, Note: p.Story})
		}
		door := func(offset int, name, what web.Text) {
			page.Doors = append(page.Doors, web.Door{Port: strconv.Itoa(w.port(offset)), Name: name, What: what, Href: w.origin(offset)})
		}
		door(0, web.Text{ZH: "国家服务器", EN: "National server"}, web.Text{ZH: "登录、证照、公开密钥", EN: "Login, licences, published keys"})
		for _, p := range w.sample.Provinces {
			door(p.Port, provinceText(p), web.Text{ZH: "样本省份，OpenID Connect", EN: "Sample province, OpenID Connect"})
			page.Faults = append(page.Faults, web.Action{Label: web.Text{ZH: "让" + provinceText(p).ZH + "出错", EN: "Make " + p.English + " misbehave"}, Href: w.origin(p.Port) + "/faults"})
		}
		for _, d := range w.sample.Departments {
			door(d.Port, web.Text{ZH: d.Name, EN: d.English}, web.Text{ZH: "样本部门，依赖方", EN: "Sample department, a relying party"})
			page.Doors = append(page.Doors, web.Door{Port: strconv.Itoa(w.port(d.Port)), Name: web.Text{ZH: "核验台", EN: "Counter"},
				What: web.Text{ZH: d.Name + "的窗口", EN: "At the " + d.English}, Href: w.origin(d.Port) + counter.Path})
		}
		page.LastLogin = w.lastLogin(r.Context())
		pages.Start(rw, r, page)
	}
}

// loginSteps are the steps of a login that the start page shows, in words.
var loginSteps = map[audit.Kind]web.Text{
	"federation.logged_in": {ZH: "省里登录成功", EN: "Logged in at the province"},
	"oidc.session_started": {ZH: "国家服务器建立会话", EN: "Session at the national server"},
	"oidc.consent_given":   {ZH: "同意提供资料", EN: "Agreed to share"},
	"oidc.code_issued":     {ZH: "发给部门一次性授权码", EN: "One-time code for the department"},
	"oidc.code_redeemed":   {ZH: "部门换得令牌", EN: "Department took its tokens"},
}

func (w *World) lastLogin(ctx context.Context) *web.LastLogin {
	events, err := w.node.LastLogin(ctx)
	if err != nil {
		return nil // the page is worth more than this corner of it
	}
	var out web.LastLogin
	for _, ev := range events {
		if label, ok := loginSteps[ev.Kind]; ok {
			at := ev.At.In(time.FixedZone("Beijing", 8*60*60)).Format("15:04:05.000")
			out.Steps = append(out.Steps, web.Fact{Label: label, Value: web.Text{ZH: at, EN: at}})
		}
	}
	if len(out.Steps) == 0 {
		return nil
	}
	return &out
}

func provinceText(p sample.ProvinceInfo) web.Text {
	if known, ok := province.Lookup(province.Code(p.Code)); ok {
		return web.Text{ZH: known.Short, EN: known.English}
	}
	return web.Text{ZH: p.Name, EN: p.English}
}
