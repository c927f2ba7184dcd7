package sealcmd

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
)

func local(t time.Time) string { return t.Local().Format(time.RFC3339) }

func printPage(p *deptclient.Printer, page sealapi.List) {
	if len(page.Seals) == 0 {
		p.Line("No seals.")
	}
	for _, s := range page.Seals {
		p.Line("%s\n    %s, %s, %s %s, for %s, valid %s to %s", s.ID, deptclient.Clean(s.Name), deptclient.Clean(s.Owner.Name), s.State, s.StateZH,
			strings.Join(s.DocumentKinds, " "), s.ValidFrom, s.ValidTo)
	}
	if page.Next != "" {
		p.Line("There are more: --after %s", page.Next)
	}
}

func printSeal(p *deptclient.Printer, s sealapi.SealView, u uses) {
	p.Line("%s", s.ID)
	p.Line("  name     %s", deptclient.Clean(s.Name))
	p.Line("  kind     %s %s", s.Kind, s.KindZH)
	p.Line("  owner    %s %s", deptclient.Clean(s.Owner.Name), s.Owner.Code)
	p.Line("  maker    %s", s.Maker)
	p.Line("  for      %s", strings.Join(s.DocumentKinds, ", "))
	p.Line("  term     %s to %s, both days included, Beijing time", s.ValidFrom, s.ValidTo)
	p.Line("  state    %s %s since %s", s.State, s.StateZH, local(s.StateSince))
	for _, c := range s.History {
		p.Line("  %s  %s -> %s  proposed by %s, approved by %s  %s", local(c.RecordedAt), c.Operation, c.To, deptclient.Clean(c.ProposedBy),
			deptclient.Clean(c.ApprovedBy), deptclient.Clean(c.Reason))
	}
	if len(u.Uses) > 0 {
		p.Line("Latest uses:")
	}
	for _, one := range u.Uses {
		p.Line("  %s  %s  %s  by %s  sha256 %s  request %s", local(one.At), one.DocumentKind, deptclient.Clean(one.FileName), deptclient.Clean(one.By), one.SHA256, one.RequestID)
	}
}

// what says in words what a request asks for.
func what(r sealapi.RequestView) string {
	if op, ok := eseal.OperationByName(r.Operation); ok {
		var c struct{ Reason string }
		_ = json.Unmarshal(r.Content, &c) // what can't be read is left out
		return op.EN + " (" + op.ZH + ") the seal " + r.Seal + ", because: " + deptclient.Clean(c.Reason)
	}
	var c eseal.Issue
	_ = json.Unmarshal(r.Content, &c) // the picture is an object there, and not needed here
	return "issue the seal " + r.Seal + ": " + deptclient.Clean(c.Name) + " of " + deptclient.Clean(c.Owner.Name) + ", for " + strings.Join(c.DocumentKinds, ", ") +
		", valid " + c.ValidFrom + " to " + c.ValidTo
}

func printProposed(p *deptclient.Printer, r sealapi.RequestView, server string) {
	p.Line("Proposed, not done yet: %s.", what(r))
	p.Line("  request  %s", r.ID)
	p.Line("A second person must approve it until %s, with her own key file:", local(r.ExpiresAt))
	p.Line("  hufu seal approve %s --as HER_KEY_FILE --url %s", r.ID, server)
}

func printRequests(p *deptclient.Printer, all requests, server string) {
	if len(all.Requests) == 0 {
		p.Line("Nothing waits.")
		return
	}
	for _, r := range all.Requests {
		p.Line("%s  %s", r.ID, what(r))
		p.Line("    proposed by %s at %s, open until %s", deptclient.Clean(r.ProposedBy), local(r.ProposedAt), local(r.ExpiresAt))
	}
	p.Line("Another person than the proposer decides:")
	p.Line("  hufu seal approve REQUEST --as KEY_FILE --url %s", server)
	p.Line("  hufu seal refuse REQUEST --as KEY_FILE --url %s", server)
}

func printDecided(p *deptclient.Printer, r sealapi.RequestView) {
	if r.Decision != eseal.Approved {
		p.Line("Refused. Nothing was done: %s.", what(r))
		return
	}
	p.Line("Done: %s.", what(r))
	if r.SealNow != nil {
		p.Line("  seal     %s", r.SealNow.ID)
		p.Line("  state    %s %s", r.SealNow.State, r.SealNow.StateZH)
	}
	p.Line("The trust bundle says so within seconds; whoever verifies offline sees it with the next bundle.")
}

func printSigned(p *deptclient.Printer, a signAnswer, file string) {
	if a.Repeated {
		p.Line("Sealed: this use was recorded before, and was not recorded again.")
	} else {
		p.Line("Sealed.")
	}
	p.Line("  document  %s", deptclient.Clean(file))
	p.Line("  as        %s", a.Use.DocumentKind)
	p.Line("  seal      %s", a.Seal)
	p.Line("  at        %s", local(a.Use.At))
	p.Line("  request   %s", a.Use.RequestID)
	p.Line("  written   %s", deptclient.Clean(a.Signature))
	p.Line("Pass on both files. Whoever has the trust bundle checks them offline:")
	p.Line("  hufu verify --root root.json --bundle bundle.zip --seal %s %s", deptclient.Clean(a.Signature), deptclient.Clean(file))
}
