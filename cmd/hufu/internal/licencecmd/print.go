package licencecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/job"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

func clean(s string) string { return deptclient.Clean(s) }

// printer writes for a tired clerk: what happened first, one fact a line, the Chinese legal word beside the English one.
type printer struct{ *deptclient.Printer }

func (p *printer) line(format string, args ...any) { p.Line(format, args...) }

func (p *printer) report(r register.ImportReport) {
	p.line("Registered %d, already there %d, refused %d.", r.Created, r.Unchanged, r.Refused)
	for _, l := range r.Records {
		switch l.Result {
		case register.ResultCreated:
			p.line("  line %d: %s registered as %s", l.Line, clean(l.RecordNumber), l.LicenceID)
		case register.ResultRefused:
			p.line("  line %d: %s REFUSED", l.Line, clean(l.RecordNumber))
			for _, e := range l.Errors {
				p.line("      %s", clean(strings.TrimSpace(e.Field+" "+e.Message)))
			}
		}
	}
	if r.Refused > 0 {
		p.line("Mend the refused records and send the file again; the others stay as they are.")
	}
}

func statusWords(s registerapi.StatusView) string { return s.Name + " " + s.NameZH }

func (p *printer) page(page licencePage) {
	if len(page.Licences) == 0 {
		p.line("No licences.")
	}
	for _, l := range page.Licences {
		p.line("%s\n    %s, %s, %s, %s", l.ID, clean(l.Holder.Name), l.Type, statusWords(l.Status), validity(l))
	}
	if page.Next != "" {
		p.line("There are more: --after %s", page.Next)
	}
}

func validity(l registerapi.LicenceView) string {
	if l.ValidTo == "" {
		return fmt.Sprintf("valid from %s for the long term", l.ValidFrom)
	}
	return fmt.Sprintf("valid %s to %s", l.ValidFrom, l.ValidTo)
}

func (p *printer) licence(l registerapi.LicenceView) {
	p.line("%s", l.ID)
	p.line("  type     %s", l.Type)
	p.line("  holder   %s", clean(l.Holder.Name))
	p.line("  term     %s", validity(l))
	p.line("  state    %s", statusWords(l.Status))
	if l.Status.Reason != "" {
		p.line("  reason   %s", clean(l.Status.Reason))
	}
	p.line("  since    %s", l.Status.Since.Local().Format(time.RFC3339))
	for i, id := range l.Chain {
		mark := "        "
		if i == 0 {
			mark = "versions"
		}
		if id == l.ID {
			id += "  (this one)"
		}
		p.line("  %s %s", mark, id)
	}
	for _, c := range l.Journal {
		p.line("  %s  %s -> %s  %s", c.RecordedAt.Local().Format(time.RFC3339), c.Operation, c.To, clean(c.Reason))
	}
}

func (p *printer) changed(op register.Operation, l registerapi.LicenceView) {
	p.line("Done: %s (%s). The licence is now %s.", op.EN, op.ZH, statusWords(l.Status))
	p.line("  licence  %s", l.ID)
	p.line("  holder   %s", clean(l.Holder.Name))
	p.line("  reason   %s", clean(l.Status.Reason))
	p.line("  since    %s", l.Status.Since.Local().Format(time.RFC3339))
	p.line("Its credentials show this in the status lists within 10 seconds; whoever verifies offline sees it with the next bundle.")
}

func (p *printer) dryRun(op register.Operation, l registerapi.LicenceView, possible bool) {
	if !possible {
		p.line("Nothing was done, and it could not be: %s (%s) is not possible for a licence that is %s.", op.EN, op.ZH, statusWords(l.Status))
		return
	}
	to := op.To.Info()
	p.line("Nothing was done. Without --dry-run, %s's licence %s would go from %s to %s %s.",
		clean(l.Holder.Name), l.ID, statusWords(l.Status), to.Name, to.ZH)
}

func (p *printer) offer(o licenceOffer) {
	p.line("Offer, to be opened by the holder's wallet (as a link or as a QR code):")
	p.line("%s", o.OfferURI)
	if o.TxCode != "" {
		p.line("Transaction code, to be told to the holder in person or by another way than the offer:")
		p.line("%s", o.TxCode)
	}
	if at, err := time.Parse(time.RFC3339, o.ExpiresAt); err == nil {
		p.line("It can be taken until %s.", at.Local().Format(time.RFC3339))
	}
}

func (p *printer) jobs(all []job.View) {
	if len(all) == 0 {
		p.line("No jobs.")
	}
	for _, v := range all {
		p.line("%s  %s  %s, %d of %d records, %d refused", clean(v.ID), v.CreatedAt.Local().Format(time.RFC3339), clean(string(v.State)), v.Done, v.Records, v.Refused)
	}
}

func (p *printer) job(v job.View) {
	p.line("Job %s is %s: %d of %d records done.", clean(v.ID), clean(string(v.State)), v.Done, v.Records)
	p.line("  registered %d, already there %d, refused %d", v.Created, v.Unchanged, v.Refused)
	if v.State == job.Running || v.State == job.Paused {
		rate := "as fast as it goes"
		if v.Rate > 0 {
			rate = fmt.Sprintf("%d records in a second", v.Rate)
		}
		p.line("  rate       %s", rate)
	}
	if !v.FinishedAt.IsZero() {
		p.line("  time       %s", v.FinishedAt.Sub(v.StartedAt).Round(100*time.Millisecond))
	}
	if v.Refused > 0 {
		p.line("  What was refused and why: hufu licence job report %s --out FILE", clean(v.ID))
	}
}

func (p *printer) signed(r job.Report) {
	p.line("The report is the one that %s signed on %s.", clean(r.Issuer), time.Unix(r.IssuedAt, 0).Format(time.RFC3339))
	p.line("  job        %s (%s)", clean(r.Job), clean(string(r.State)))
	p.line("  authority  %s, by %s", clean(r.Authority), clean(r.Client))
	p.line("  file       %d bytes, sha-256 %s", r.FileBytes, clean(r.FileSHA256))
	p.line("  records    %d: registered %d, already there %d, refused %d", r.Records, r.Created, r.Unchanged, r.Refused)
}
