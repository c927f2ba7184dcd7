package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hufu-id/hufu/internal/sample/browser"
)

// document is what the traffic police seals: any file will do, only its digest leaves the office.
const document = "沙箱省公安厅交通管理局\n关于准予李秀英期满换证的批复（样本）\n\n经审核，准予换发机动车驾驶证。\n二〇二六年\n"

// seal puts the department's seal on a file, and shows that nothing but the digest travels.
func (d *demo) seal(ctx context.Context) (string, error) {
	if err := os.WriteFile(d.files["document"], []byte(document), 0o644); err != nil {
		return "", err
	}
	s := d.ready.Seals[0]
	out, err := d.command(ctx, 0, "seal", "sign", "--as", s.KeyFile, "--url", d.ready.Issuer, "--seal", s.ID, "--out", d.files["seal"], d.files["document"])
	if err != nil {
		return "", err
	}
	if _, err := d.export(ctx, d.files["bundle"]); err != nil { // a counter that fetched before the seal was published
		return "", err
	}
	return out + "Only the file's digest was sent. The use was recorded, then signed by a key that never leaves the server.", nil
}

func (d *demo) verifySeal(ctx context.Context, bundle, document string, want int) (string, error) {
	return d.command(ctx, want, "verify", "--lang", "en", "--root", d.files["root"], "--bundle", d.files[bundle], "--seal", d.files["seal"], document)
}

// verifySealed checks the sealed file without a network; and that one changed byte is seen.
func (d *demo) verifySealed(ctx context.Context) (string, error) {
	out, err := d.verifySeal(ctx, "bundle", d.files["document"], 0)
	if err != nil {
		return "", err
	}
	changed := d.files["document"] + ".changed"
	if err := os.WriteFile(changed, []byte(strings.Replace(document, "准予", "不准", 1)), 0o644); err != nil {
		return "", err
	}
	defer os.Remove(changed)
	if _, err := d.verifySeal(ctx, "bundle", changed, 2); err != nil {
		return "", err
	}
	head, _, _ := strings.Cut(out, "\nChecks")
	return head + "\nThe same seal on a file with two characters changed: INVALID.", nil
}

// show lets her show the licence from the hosted wallet, with nothing but a browser: she scans the counter's code, looks, agrees.
func (d *demo) show(ctx context.Context) (string, error) {
	if _, err := d.walk(ctx, d.ready.Issuer+"/wallet", "take-driving-licence"); err != nil {
		return "", err
	}
	counter, err := d.person.Get(ctx, d.ready.Departments[marketRegulation].CounterURL)
	if err != nil {
		return "", err
	}
	ask, err := counter.Attr("counter-ask", "href")
	if err != nil {
		return "", err
	}
	if d.shownNonce, err = counter.Text("counter-nonce"); err != nil {
		return "", err
	}
	if d.shownAudience, err = counter.Text("counter-audience"); err != nil {
		return "", err
	}
	p, err := d.walk(ctx, ask, "show-confirm")
	if err != nil {
		return "", err
	}
	text, err := p.Text("shown-presentation")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(d.files["shown"], []byte(text), 0o644); err != nil {
		return "", err
	}
	return fmt.Sprintf("She scanned the counter's code, saw who asks and what they would see, and agreed: %d bytes, bound to the counter's challenge.", len(text)), nil
}

// check lets the clerk type what she shows into the counter's field.
func (d *demo) check(ctx context.Context) (string, error) {
	text, err := os.ReadFile(d.files["shown"])
	if err != nil {
		return "", err
	}
	for _, want := range []string{"valid", "invalid"} {
		verdict, err := d.judge(ctx, string(text))
		if err != nil {
			return "", err
		}
		if verdict != want {
			return "", fmt.Errorf("the counter says %s instead of %s", verdict, want)
		}
	}
	return "The counter's page says 有效 VALID, and what was not shown.\nThe same answer a second time: 无效 INVALID. A challenge counts once.", nil
}

// judge is a check at the counter.
func (d *demo) judge(ctx context.Context, text string) (string, error) {
	p, err := browser.New().Get(ctx, d.ready.Departments[marketRegulation].CounterURL)
	if err != nil {
		return "", err
	}
	if err := p.Fill("counter-input", text); err != nil {
		return "", err
	}
	if p, err = p.Click(ctx, "counter-check"); err != nil {
		return "", err
	}
	return p.Attr("counter-verdict", "data-verdict")
}

// suspendSeal needs two people: one proposes, another approves.
func (d *demo) suspendSeal(ctx context.Context) (string, error) {
	s := d.ready.Seals[0]
	out, err := d.command(ctx, 0, "seal", "suspend", s.ID, "--reason", "印章U盾遗失（样本）", "--as", s.KeyFile, "--url", d.ready.Issuer, "--json")
	if err != nil {
		return "", err
	}
	var request struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(out), &request); err != nil || request.ID == "" {
		return "", fmt.Errorf("no request in %s", out)
	}
	return d.command(ctx, 0, "seal", "approve", request.ID, "--as", s.SecondKeyFile, "--url", d.ready.Issuer)
}

func (d *demo) verifySealedAfter(ctx context.Context) (string, error) {
	if _, err := d.export(ctx, d.files["bundle_after_suspension"]); err != nil {
		return "", err
	}
	out, err := d.verifySeal(ctx, "bundle_after_suspension", d.files["document"], 3)
	head, _, _ := strings.Cut(out, "\nChecks")
	return head, err
}
