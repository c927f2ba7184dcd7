package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sample/browser"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// walk clicks through pages by control ids.
func (d *demo) walk(ctx context.Context, address string, ids ...string) (*browser.Page, error) {
	p, err := d.person.Get(ctx, address)
	for _, id := range ids {
		if err != nil {
			return nil, err
		}
		p, err = p.Click(ctx, id)
	}
	return p, err
}

// me asks a department whom it knows.
func (d *demo) me(ctx context.Context, department string) (map[string]any, error) {
	p, err := d.person.Get(ctx, department+"/me")
	if err != nil {
		return nil, err
	}
	var me map[string]any
	if err := json.Unmarshal([]byte(p.Body), &me); err != nil || p.Status != 200 {
		return nil, fmt.Errorf("%s/me answered %d", department, p.Status)
	}
	return me, nil
}

// The two sample departments, in the order of the ready line.
const (
	trafficPolice = iota
	marketRegulation
)

func (d *demo) department(which int) string { return d.ready.Departments[which].URL }

func (d *demo) login(ctx context.Context) (string, error) {
	home := d.department(trafficPolice)
	if _, err := d.walk(ctx, home, "login", "province-440000", "person-li-xiuying", "consent-allow"); err != nil {
		return "", err
	}
	me, err := d.me(ctx, home)
	if err != nil {
		return "", err
	}
	d.subject, _ = me["sub"].(string)
	if me["iss"] != d.ready.Issuer || d.subject == "" || me["acr"] != "loa3" {
		return "", fmt.Errorf("unexpected claims: %v", me)
	}
	return fmt.Sprintf("The department got: %v, level %v, subject %s...\nIt did not get: the id number, the address, the province's account.", me["name"], me["acr"], short(d.subject)), nil
}

func short(s string) string { return s[:min(10, len(s))] }

func (d *demo) secondLogin(ctx context.Context) (string, error) {
	home := d.department(marketRegulation)
	p, err := d.walk(ctx, home, "login")
	if err != nil {
		return "", err
	}
	if p.Has("province-440000") {
		return "", errors.New("the province was asked for again")
	}
	if _, err := p.Click(ctx, "consent-allow"); err != nil {
		return "", err
	}
	me, err := d.me(ctx, home)
	if err != nil {
		return "", err
	}
	sub, _ := me["sub"].(string)
	if sub == "" || sub == d.subject {
		return "", errors.New("two departments got the same subject")
	}
	return fmt.Sprintf("Its own consent page, then in. Subject here: %s..., so the two can't match her.", short(sub)), nil
}

func (d *demo) offer(ctx context.Context) (string, error) {
	p, err := d.walk(ctx, d.ready.Issuer+"/licences", "offer-driving-licence")
	if err != nil {
		return "", err
	}
	link, err := p.Attr("offer-uri", "href")
	if err != nil {
		return "", err
	}
	code, err := p.Text("tx-code")
	if err != nil {
		return "", err
	}
	w := wallet.New(wallet.Options{ClientID: d.ready.WalletClientID, RedirectURI: "http://localhost/callback"})
	if d.credential, err = w.TakeOffer(ctx, link, code); err != nil {
		return "", err
	}
	if err := os.WriteFile(d.files["licence"], []byte(d.credential.Text), 0o644); err != nil {
		return "", err
	}
	claims, err := d.credential.Claims()
	if err != nil {
		return "", err
	}
	d.licenceID, _ = claims["licence_id"].(string)
	return fmt.Sprintf("Offer as QR code and link, transaction code typed into the wallet.\nThe wallet proved its key and holds %d claims of licence %s.", len(claims), d.licenceID), nil
}

func (d *demo) exportBefore(ctx context.Context) (string, error) {
	return d.export(ctx, d.files["bundle"])
}

// exportAfter waits until the revocation is published, as a counter that subscribes would: the sample world spreads changes over two seconds, a real one
// over most of a minute.
func (d *demo) exportAfter(ctx context.Context) (string, error) {
	begin := time.Now()
	for {
		said, err := d.export(ctx, d.files["bundle_after_revocation"])
		if err != nil {
			return "", err
		}
		if _, err := d.verify(ctx, "bundle_after_revocation", 2); err == nil {
			return fmt.Sprintf("%s\nThe revocation was published %d ms after this step began.", said, time.Since(begin).Milliseconds()), nil
		} else if time.Since(begin) > 10*time.Second {
			return "", fmt.Errorf("the revocation is not published after ten seconds: %w", err)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// export fetches the bundle once the server has published what it knows.
func (d *demo) export(ctx context.Context, file string) (string, error) {
	if err := d.world.Publish(ctx); err != nil {
		return "", err
	}
	args := []string{"bundle", "export", "--url", d.ready.Issuer, "--out", file}
	if _, err := os.Stat(d.files["root"]); err != nil {
		args = append(args, "--root-out", d.files["root"])
	} else {
		args = append(args, "--root", d.files["root"])
	}
	if _, err := d.command(ctx, 0, args...); err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d KB: certificates, who may issue what, type metadata, status lists, signed.", (info.Size()+1023)/1024), nil
}

func (d *demo) present(context.Context) (string, error) {
	d.nonce, d.audience = rand.Text(), "https://counter.example"
	text, err := d.credential.Present(d.audience, d.nonce, time.Now(), sdjwt.P("address"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(d.files["presentation"], []byte(text), 0o644); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes, bound to the counter's fresh challenge.", len(text)), nil
}

func (d *demo) verify(ctx context.Context, bundle string, want int) (string, error) {
	return d.command(ctx, want, "verify", "--lang", "en", "--root", d.files["root"], "--bundle", d.files[bundle],
		"--nonce", d.nonce, "--audience", d.audience, d.files["presentation"])
}

func (d *demo) verifyBefore(ctx context.Context) (string, error) { return d.verify(ctx, "bundle", 0) }
func (d *demo) verifyAfter(ctx context.Context) (string, error) {
	out, err := d.verify(ctx, "bundle_after_revocation", 2)
	head, _, _ := strings.Cut(out, "\nNot disclosed")
	return head, err
}

func (d *demo) verifyOld(ctx context.Context) (string, error) {
	out, err := d.verify(ctx, "bundle", 0)
	if err != nil {
		return "", err
	}
	head, _, _ := strings.Cut(out, "\nShown")
	return head + "\nAn old bundle can't know what happened since; it says as of when it speaks.", nil
}

func (d *demo) revoke(ctx context.Context) (string, error) {
	return d.command(ctx, 0, "licence", "status", d.licenceID, "revoke", "--reason", "饮酒后驾驶营运机动车（样本）",
		"--as", d.ready.Departments[trafficPolice].KeyFile, "--url", d.ready.Issuer)
}

func (d *demo) logout(ctx context.Context) (string, error) {
	home := d.department(trafficPolice)
	p, err := d.walk(ctx, home, "logout")
	if err != nil {
		return "", err
	}
	if p.Has("logout-confirm") {
		if _, err = p.Click(ctx, "logout-confirm"); err != nil {
			return "", err
		}
	}
	after, err := d.person.Get(ctx, home+"/me")
	if err != nil {
		return "", err
	}
	if after.Status != 401 {
		return "", fmt.Errorf("%s/me still answers %d", home, after.Status)
	}
	if p, err = d.walk(ctx, home, "login"); err != nil {
		return "", err
	}
	if !p.Has("province-440000") {
		return "", errors.New("the national session is still there")
	}
	return "The department and the national server forgot the session; " + strings.TrimPrefix(d.ready.Issuer, "http://") + " asks for a province again.", nil
}
