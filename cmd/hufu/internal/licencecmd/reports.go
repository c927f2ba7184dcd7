package licencecmd

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/wallet/correction"
)

const reportsPath = "/register/v1/reports"

func licenceReportsCmd(f *licenceFlags) *cobra.Command {
	var state, after string
	var limit int
	cmd := &cobra.Command{
		Use:   "reports",
		Short: "List what holders reported as wrong in the department's licences, the oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				q := url.Values{"limit": {strconv.Itoa(limit)}}
				switch state {
				case "open", "answered":
					q.Set("state", state)
				case "all":
				default:
					return nil, nil, deptclient.Usage("--state must be open, answered or all")
				}
				if after != "" {
					q.Set("after", after)
				}
				var page correction.ReportPage
				err := c.Call(cmd.Context(), http.MethodGet, reportsPath+"?"+q.Encode(), "", nil, &page)
				return page, func(p *printer) { p.reports(page) }, err
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "open", "open, answered or all")
	cmd.Flags().StringVar(&after, "after", "", "continue after this report")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 200")
	return cmd
}

func licenceAnswerCmd(f *licenceFlags) *cobra.Command {
	var outcome, text string
	var names []string
	for _, o := range correction.Outcomes {
		names = append(names, string(o))
	}
	cmd := &cobra.Command{
		Use:   "answer REPORT --outcome OUTCOME --text TEXT",
		Short: "Answer a report, once and finally; the holder reads it",
		Long: "Answer a report, once and finally; the holder reads it.\n\nOutcomes: " + strings.Join(names, ", ") +
			".\nThis changes no licence: correct the record in your own system and register it first.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				if !slices.Contains(names, outcome) {
					return nil, nil, deptclient.Usage("--outcome must be one of %s", strings.Join(names, ", "))
				}
				if strings.TrimSpace(text) == "" {
					return nil, nil, deptclient.Usage("--text is needed: the holder waits for an answer in words")
				}
				body, err := json.Marshal(correction.AnswerRequest{Answer: text, Outcome: correction.Outcome(outcome)})
				if err != nil {
					return nil, nil, err
				}
				var answered correction.ReportView
				err = c.Call(cmd.Context(), http.MethodPost, reportsPath+"/"+url.PathEscape(args[0])+"/answer", "application/json", body, &answered)
				return answered, func(p *printer) {
					p.Line("Answered. The holder sees it now.")
					p.oneReport(answered)
				}, err
			})
		},
	}
	cmd.Flags().StringVar(&outcome, "outcome", "", strings.Join(names, ", ")+" (required)")
	cmd.Flags().StringVar(&text, "text", "", "the answer, in words that the holder may read (required)")
	return cmd
}

func (p *printer) reports(page correction.ReportPage) {
	if len(page.Reports) == 0 {
		p.Line("No reports.")
	}
	for _, r := range page.Reports {
		p.oneReport(r)
	}
	if page.Next != "" {
		p.Line("There may be more: --after %s", page.Next)
	}
}

func (p *printer) oneReport(r correction.ReportView) {
	p.Line("%s", clean(r.ID))
	p.Line("  licence  %s", clean(r.Licence))
	p.Line("  entry    %s", clean(r.Field))
	p.Line("  says     %s", oneLine(r.Text))
	p.Line("  since    %s", r.ReportedAt.Local().Format(time.RFC3339))
	if r.State == correction.Answered {
		p.Line("  outcome  %s", clean(string(r.Outcome)))
		p.Line("  answer   %s", oneLine(r.Answer))
	}
}

// oneLine keeps the line ends of a text apart from those of the list.
func oneLine(s string) string { return clean(strings.ReplaceAll(s, "\n", " / ")) }
