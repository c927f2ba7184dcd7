// Package sealcmd is `hufu seal`: how a seal maker issues e-seals and a department seals with them, by the API of a national server.
package sealcmd

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const scope = "seal"

// flags are shared by all commands of `hufu seal`.
type flags struct{ deptclient.Flags }

// NewCommand is `hufu seal`. What its commands return is a *deptclient.ExitError or nil, or what cobra says of wrong flags.
func NewCommand() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Issue e-seals, seal documents, report a seal lost (for seal makers and departments)",
		Long: `Issue e-seals, seal documents, report a seal lost.

Every change of a seal (issue, suspend, resume, cancel) needs two people: one proposes it, another approves it with a key file of her own.
Sealing a document needs one. A person proves who she is with her key file (--as):
  {"client_id": "...", "key": {private JWK}, "department": "credit code", "name": "..."}

Exit codes: 0 done, 1 wrong usage, a file or server that can't be reached, 2 refused.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	f.Bind(cmd, "your own key file (required)")
	cmd.AddCommand(signCmd(f), listCmd(f), showCmd(f), issueCmd(f))
	for _, op := range eseal.Operations {
		cmd.AddCommand(changeCmd(f, op))
	}
	cmd.AddCommand(requestsCmd(f), decideCmd(f, "approve", "Approve what a colleague proposed; then it is done"),
		decideCmd(f, "refuse", "Refuse what a colleague proposed; then nothing is done"))
	return cmd
}

func listCmd(f *flags) *cobra.Command {
	var after string
	cmd := &cobra.Command{
		Use: "list", Short: "List the seals that your organisation owns or made", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
				q := url.Values{}
				if after != "" {
					q.Set("after", after)
				}
				var page sealapi.List
				err := c.Call(cmd.Context(), http.MethodGet, "/seals/v1/seals?"+q.Encode(), "", nil, &page)
				return page, func(p *deptclient.Printer) { printPage(p, page) }, err
			})
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "continue after this seal")
	return cmd
}

// uses is the answer to the question who used a seal for what.
type uses struct {
	Uses []sealapi.UseView `json:"uses"`
}

func showCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a seal, its history and, to its owner, its latest uses", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
				path := "/seals/v1/seals/" + url.PathEscape(args[0])
				var answer struct {
					sealapi.SealView
					uses
				}
				if err := c.Call(cmd.Context(), http.MethodGet, path, "", nil, &answer.SealView); err != nil {
					return nil, nil, err
				}
				// Only the owner may know of the uses.
				if answer.Owner.Code == c.Organisation() {
					if err := c.Call(cmd.Context(), http.MethodGet, path+"/uses", "", nil, &answer.uses); err != nil {
						return nil, nil, err
					}
				}
				return answer, func(p *deptclient.Printer) { printSeal(p, answer.SealView, answer.uses) }, nil
			})
		},
	}
}

func issueCmd(f *flags) *cobra.Command {
	var issue eseal.Issue
	var picture string
	cmd := &cobra.Command{
		Use: "issue", Short: "Propose a new seal (for seal makers); a colleague approves it", Args: cobra.NoArgs,
		Long: "Propose a new seal. It exists when a colleague of the seal maker has approved it.\n\nKinds of seals: " + names(sealvc.Kinds()) +
			".\nKinds of documents: " + names(sealvc.DocumentKinds()) + ".",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.propose(cmd, func() (eseal.Proposal, error) {
				if issue.Owner.Code == "" || issue.Owner.Name == "" || issue.Name == "" || issue.Kind == "" || issue.ValidTo == "" || len(issue.DocumentKinds) == 0 {
					return eseal.Proposal{}, deptclient.Usage("--owner, --owner-name, --kind, --name, --document-kind and --valid-to are needed")
				}
				if picture != "" {
					var err error
					if issue.Picture, err = os.ReadFile(picture); err != nil {
						return eseal.Proposal{}, err
					}
				}
				return eseal.Proposal{Operation: eseal.OpIssue, Issue: &issue}, nil
			})
		},
	}
	cmd.Flags().StringVar(&issue.Owner.Code, "owner", "", "credit code of the organisation whose seal it is")
	cmd.Flags().StringVar(&issue.Owner.Name, "owner-name", "", "its name")
	cmd.Flags().StringVar(&issue.Kind, "kind", "", "kind of seal: 01, 02, 03, 04, 05 or 99")
	cmd.Flags().StringVar(&issue.Name, "name", "", "name of the seal, such as 行政审批专用章")
	cmd.Flags().StringSliceVar(&issue.DocumentKinds, "document-kind", nil, "kind of document that it may be used for; may be given more than once")
	cmd.Flags().StringVar(&issue.ValidFrom, "valid-from", "", "first day, such as 2027-01-01; today if empty")
	cmd.Flags().StringVar(&issue.ValidTo, "valid-to", "", "last day; three years at most")
	cmd.Flags().StringVar(&picture, "picture", "", "picture of the seal, PNG or JPEG, at most 256 KiB")
	return cmd
}

func names(table []sealvc.Named) string {
	var out []string
	for _, n := range table {
		out = append(out, n.ID+" ("+n.ZH+")")
	}
	return strings.Join(out, ", ")
}

func changeCmd(f *flags, op eseal.Operation) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: op.Name + " ID --reason TEXT", Short: "Propose to " + op.EN + " a seal (" + op.ZH + "); a colleague approves it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.propose(cmd, func() (eseal.Proposal, error) {
				if reason == "" {
					return eseal.Proposal{}, deptclient.Usage("--reason is needed; it stays in the seal's history")
				}
				return eseal.Proposal{Operation: op.Name, Seal: args[0], Reason: reason}, nil
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why (required)")
	return cmd
}

// propose sends a proposal and says what the second person does.
func (f *flags) propose(cmd *cobra.Command, ask func() (eseal.Proposal, error)) error {
	return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
		proposal, err := ask()
		if err != nil {
			return nil, nil, err
		}
		body, err := json.Marshal(proposal)
		if err != nil {
			return nil, nil, err
		}
		var r sealapi.RequestView
		err = c.Call(cmd.Context(), http.MethodPost, sealapi.ProposalPath, "application/json", body, &r)
		return r, func(p *deptclient.Printer) { printProposed(p, r, f.URL) }, err
	})
}

// requests is the answer to a list of requests.
type requests struct {
	Requests []sealapi.RequestView `json:"requests"`
}

func requestsCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "requests", Short: "List what waits for a second person", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
				var all requests
				err := c.Call(cmd.Context(), http.MethodGet, sealapi.ProposalPath, "", nil, &all)
				return all, func(p *deptclient.Printer) { printRequests(p, all, f.URL) }, err
			})
		},
	}
}

func decideCmd(f *flags, word, short string) *cobra.Command {
	return &cobra.Command{
		Use: word + " REQUEST", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.Run(cmd, scope, func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
				var r sealapi.RequestView
				err := c.Call(cmd.Context(), http.MethodPost, sealapi.ProposalPath+"/"+url.PathEscape(args[0])+"/"+word, "application/json", []byte("{}"), &r)
				return r, func(p *deptclient.Printer) { printDecided(p, r) }, err
			})
		},
	}
}
