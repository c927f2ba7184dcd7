// Package licencecmd is `hufu licence`: how a department registers licences, offers them and changes their legal state, by the
// department API of a national server.
package licencecmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

// Exit codes.
const (
	ExitUsage   = deptclient.ExitUsage
	ExitRefused = deptclient.ExitRefused
)

// ExitError ends the program with a code. A nil Err says that everything worth saying was said already.
type ExitError = deptclient.ExitError

// licenceFlags are shared by all commands of `hufu licence`.
type licenceFlags struct{ deptclient.Flags }

// NewCommand is `hufu licence`. What its commands return is an *ExitError or nil, or what cobra says of wrong flags.
func NewCommand() *cobra.Command {
	f := &licenceFlags{}
	cmd := &cobra.Command{
		Use:   "licence",
		Short: "Register licences, offer them to wallets, change their legal state (for departments)",
		Long: `Register licences, offer them to wallets, change their legal state.

A department proves who it is with a key file (--as):
  {"client_id": "...", "key": {private JWK}, "department": "credit code", "name": "..."}

Exit codes: 0 done, 1 wrong usage, a file or server that can't be reached, 2 refused.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	f.Bind(cmd, "key file of the department (required)")
	cmd.AddCommand(licenceImportCmd(f), licenceListCmd(f), licenceOfferCmd(f), licenceStatusCmd(f), licenceReportsCmd(f), licenceAnswerCmd(f), licenceJobCmd(f),
		licenceSucceedCmd(f, "renew", "renew", "Renew a licence: a new version follows the old one"),
		licenceSucceedCmd(f, "change", "change", "Change what is registered: a new version follows the old one"),
		licenceSucceedCmd(f, "transfer", "transfer_in", "Take in a licence that another authority transferred out"))
	return cmd
}

// run gives fn a client, prints its answer as JSON or by show, and turns what the server refused into an exit code.
func (f *licenceFlags) run(cmd *cobra.Command, fn func(c *departmentClient) (answer any, show func(p *printer), err error)) error {
	return f.Run(cmd, "register", func(c *deptclient.Client) (any, func(*deptclient.Printer), error) {
		answer, show, err := fn(&departmentClient{c})
		return answer, func(p *deptclient.Printer) { show(&printer{p}) }, err
	})
}

// departmentClient talks to the department API.
type departmentClient struct{ *deptclient.Client }

func licenceImportCmd(f *licenceFlags) *cobra.Command {
	var o jobFlags
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Register the records of a file; safe to repeat",
		Long: `Register the records of a file: JSON Lines or a JSON array, in small parts. Safe to repeat.

With --job the file (JSON Lines, or CSV if its name ends in .csv) is sent once, and the server registers it as a job that survives any
interruption on either side: the same command finds the job again by the file's hash. The first row of a CSV file names the columns:
record_number, holder.name, holder.code, holder.code_type, valid_from, valid_to, and the fields of the type. It must be UTF-8.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			refused := 0
			if o.job {
				return o.run(f, cmd, args[0])
			}
			err := f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				b, err := readInput(args[0], cmd.InOrStdin())
				if err != nil {
					return nil, nil, err
				}
				records, err := splitRecords(b)
				if err != nil {
					return nil, nil, err
				}
				report, err := c.importRecords(cmd.Context(), records)
				if err != nil {
					done := report.Created + report.Unchanged + report.Refused
					return nil, nil, fmt.Errorf("after %d of %d records (sending the whole file again is safe): %w", done, len(records), err)
				}
				refused = report.Refused
				return report, func(p *printer) { p.report(report) }, nil
			})
			if err == nil && refused > 0 {
				return &ExitError{Code: ExitRefused}
			}
			return err
		},
	}
	o.bind(cmd)
	return cmd
}

func licenceListCmd(f *licenceFlags) *cobra.Command {
	var person, typeID, after string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the department's own licences",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				q := url.Values{"limit": {strconv.Itoa(limit)}}
				for name, v := range map[string]string{"reference": person, "type": typeID, "after": after} {
					if v != "" {
						q.Set(name, v)
					}
				}
				var page licencePage
				err := c.Call(cmd.Context(), http.MethodGet, "/register/v1/licences?"+q.Encode(), "", nil, &page)
				return page, func(p *printer) { p.page(page) }, err
			})
		},
	}
	cmd.Flags().StringVar(&person, "person", "", "only the holder with this reference of the department")
	cmd.Flags().StringVar(&typeID, "type", "", "only licences of this type")
	cmd.Flags().StringVar(&after, "after", "", "continue after this licence identifier")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 200")
	return cmd
}

// licencePage is the answer to a list.
type licencePage struct {
	Licences []registerapi.LicenceView `json:"licences"`
	Next     string                    `json:"next,omitempty"`
}

// licenceOffer is the answer to a request for an offer.
type licenceOffer struct {
	OfferURI      string `json:"offer_uri"`
	OfferValueURI string `json:"offer_value_uri,omitempty"`
	TxCode        string `json:"tx_code,omitempty"`
	ExpiresAt     string `json:"expires_at,omitempty"`
	Licence       string `json:"licence,omitempty"`
}

func licenceOfferCmd(f *licenceFlags) *cobra.Command {
	var person, typeID, licence, grant string
	cmd := &cobra.Command{
		Use:   "offer --person REFERENCE --type TYPE | --licence ID",
		Short: "Make an offer that a wallet can take, with a transaction code for its holder",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				request := map[string]string{}
				switch {
				case licence != "" && person == "" && typeID == "":
					request["licence"] = licence
				case licence == "" && person != "" && typeID != "":
					request["person"], request["type"] = person, typeID
				default:
					return nil, nil, deptclient.Usage("give --person and --type, or --licence")
				}
				if grant != "" {
					request["grant"] = grant
				}
				body, err := json.Marshal(request)
				if err != nil {
					return nil, nil, err
				}
				var offer licenceOffer
				err = c.Call(cmd.Context(), http.MethodPost, "/register/v1/offers", "application/json", body, &offer)
				return offer, func(p *printer) { p.offer(offer) }, err
			})
		},
	}
	cmd.Flags().StringVar(&person, "person", "", "the department's own reference of the holder")
	cmd.Flags().StringVar(&typeID, "type", "", "licence type, such as driving-licence")
	cmd.Flags().StringVar(&licence, "licence", "", "licence identifier")
	cmd.Flags().StringVar(&grant, "grant", "", "pre-authorized_code (default: with a transaction code) or authorization_code (the holder logs in)")
	return cmd
}

func licenceStatusCmd(f *licenceFlags) *cobra.Command {
	var reason, effective string
	var dryRun bool
	var names []string
	for _, o := range register.Operations {
		names = append(names, o.Name+" ("+o.ZH+")")
	}
	cmd := &cobra.Command{
		Use:   "status ID OPERATION --reason TEXT",
		Short: "Do a legal act on a licence, or say what it would do (--dry-run)",
		Long: "Do a legal act on a licence: its state, the journal and the status lists of its credentials change together.\n\nOperations: " +
			strings.Join(names, ", ") + ".\nThe Chinese word is understood too. Without an operation the licence and its history are shown.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				path := "/register/v1/licences/" + url.PathEscape(args[0])
				var l registerapi.LicenceView
				if len(args) == 1 {
					err := c.Call(cmd.Context(), http.MethodGet, path, "", nil, &l)
					return l, func(p *printer) { p.licence(l) }, err
				}
				op, body, err := statusRequest(args[1], reason, effective)
				if err != nil {
					return nil, nil, err
				}
				if dryRun {
					return c.dryStatus(cmd, path, op)
				}
				err = c.Call(cmd.Context(), http.MethodPost, path+"/status", "application/json", body, &l)
				return l, func(p *printer) { p.changed(op, l) }, err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, in words that the holder may read (required for an act)")
	cmd.Flags().StringVar(&effective, "effective-at", "", "when the act took legal effect, RFC 3339; now if empty")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would happen")
	return cmd
}

func statusRequest(word, reason, effective string) (register.Operation, []byte, error) {
	op, ok := register.OperationByName(word)
	for _, o := range register.Operations {
		if o.ZH == word {
			op, ok = o, true
		}
	}
	if !ok {
		return op, nil, deptclient.Usage("%q is no operation; see hufu licence status --help", word)
	}
	if reason == "" {
		return op, nil, deptclient.Usage("--reason is needed: the law asks for one, and the holder will read it")
	}
	req := register.StatusRequest{Operation: op.Name, Reason: reason}
	if effective != "" {
		at, err := time.Parse(time.RFC3339, effective)
		if err != nil {
			return op, nil, deptclient.Usage("--effective-at must look like 2026-11-23T09:00:00+08:00")
		}
		req.EffectiveAt = at
	}
	body, err := json.Marshal(req)
	return op, body, err
}

// dryStatus says what an act would do, by the licence as it is now.
func (c *departmentClient) dryStatus(cmd *cobra.Command, path string, op register.Operation) (any, func(*printer), error) {
	var l registerapi.LicenceView
	if err := c.Call(cmd.Context(), http.MethodGet, path, "", nil, &l); err != nil {
		return nil, nil, err
	}
	possible := op.Allows(l.Status.Code)
	answer := map[string]any{"dry_run": true, "possible": possible, "id": l.ID, "operation": op.Name,
		"from": l.Status.Name, "to": op.To.Info().Name}
	return answer, func(p *printer) { p.dryRun(op, l, possible) }, nil
}
