package walletcmd

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

// view is what people and programs see of a taking.
type view struct {
	ID            string `json:"id"`
	Issuer        string `json:"issuer"`
	Configuration string `json:"configuration"`
	Format        string `json:"format"`
	Type          string `json:"type"`
	TakenAt       string `json:"taken_at"`
	// ExpiresAt is the technical end of the copies, "" when they say none.
	ExpiresAt string `json:"expires_at,omitempty"`
	Copies    int    `json:"copies"`
	Left      int    `json:"left"`
	// State is ready, used_up, expired, replaced or pending.
	State      string `json:"state"`
	ReplacedBy string `json:"replaced_by,omitempty"`
	// Claims are the names that `present --show` takes.
	Claims []string `json:"claims"`
	// AlwaysShown are the names of those that no presentation withholds.
	AlwaysShown []string `json:"always_shown,omitempty"`
}

// describe reads what the copies say of themselves. They were checked when they were taken.
func describe(t folder.Taking, at time.Time) view {
	v := view{ID: t.ID, Issuer: t.Issuer, Configuration: t.Configuration, Format: t.Format, Type: t.Type, TakenAt: t.TakenAt.Format(time.RFC3339),
		Copies: len(t.Copies), Left: t.Left(), State: "ready", ReplacedBy: t.Replaced}
	if t.Pending {
		v.State = "pending"
		return v
	}
	var expires time.Time
	if d, err := open(t.Copies[0]); err == nil { // it was checked when it was taken
		v.Claims, v.AlwaysShown, expires = d.claims(), d.always(), d.expires()
	}
	if !expires.IsZero() {
		v.ExpiresAt = expires.UTC().Format(time.RFC3339)
	}
	switch {
	case t.Replaced != "":
		v.State = "replaced"
	case !expires.IsZero() && !expires.After(at):
		v.State = "expired"
	case v.Left == 0:
		v.State = "used_up"
	}
	return v
}

func listCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what the wallet holds: type, copies, expiry, state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(store *folder.Folder) (any, func(*deptclient.Printer), error) {
				all, err := store.List()
				if err != nil {
					return nil, nil, err
				}
				views := []view{}
				for _, t := range all {
					views = append(views, describe(t, time.Now()))
				}
				return map[string]any{"credentials": views}, func(p *deptclient.Printer) {
					if len(views) == 0 {
						p.Line("The wallet in %s is empty. Take an offer: hufu wallet accept OFFER", f.dir)
					}
					for i, v := range views {
						if i > 0 {
							p.Line("")
						}
						p.Line("%s  %s  %s", v.ID, deptclient.Clean(v.Configuration), states[v.State])
						printView(p, v)
					}
				}, nil
			})
		},
	}
}

var states = map[string]string{"ready": "ready", "used_up": "every copy was shown", "expired": "EXPIRED", "replaced": "replaced by newer copies",
	"pending": "not ready yet: hufu wallet fetch ID"}

func printView(p *deptclient.Printer, v view) {
	format := map[string]string{"dc+sd-jwt": "SD-JWT VC", "mso_mdoc": "mdoc"}[v.Format]
	p.Line("    type     %s (%s)", deptclient.Clean(v.Type), format)
	p.Line("    issuer   %s", deptclient.Clean(v.Issuer))
	if v.State == "pending" {
		return
	}
	p.Line("    copies   %d, %d not shown yet", v.Copies, v.Left)
	if v.ExpiresAt != "" {
		p.Line("    expires  %s", v.ExpiresAt)
	}
	if v.ReplacedBy != "" {
		p.Line("    see      %s", deptclient.Clean(v.ReplacedBy))
	}
	printClaims(p, v.Claims)
	if len(v.AlwaysShown) > 0 {
		p.Line("    always   %s (every verifier sees these)", deptclient.Clean(strings.Join(v.AlwaysShown, ", ")))
	}
}

// printClaims writes an mdoc's namespace once for all its elements.
func printClaims(p *deptclient.Printer, claims []string) {
	spaces, names := []string{}, map[string][]string{}
	for _, c := range claims {
		i := strings.LastIndexByte(c, '/')
		space := c[:max(i, 0)]
		if _, seen := names[space]; !seen {
			spaces = append(spaces, space)
		}
		names[space] = append(names[space], c[i+1:])
	}
	for _, space := range spaces {
		prefix := ""
		if space != "" {
			prefix = space + ": "
		}
		p.Line("    claims   %s", deptclient.Clean(prefix+strings.Join(names[space], ", ")))
	}
}
