package walletcmd

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
	"github.com/hufu-id/hufu/signing/sdjwt"
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

// technical are claims that speak of the credential, not of the licence.
var technical = []string{"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "sub", "jti"}

// describe reads what the copies say of themselves. They were checked when they were taken.
func describe(t folder.Taking, at time.Time) view {
	v := view{ID: t.ID, Issuer: t.Issuer, Configuration: t.Configuration, Format: t.Format, Type: t.Type, TakenAt: t.TakenAt.Format(time.RFC3339),
		Copies: len(t.Copies), Left: t.Left(), State: "ready", ReplacedBy: t.Replaced}
	if t.Pending {
		v.State = "pending"
		return v
	}
	expires := contents(t, &v)
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

// contents fills in the names of the claims that can be shown or withheld, and returns the end.
func contents(t folder.Taking, v *view) (expires time.Time) {
	p, err := sdjwt.Parse(t.Copies[0].Text)
	if err != nil {
		return time.Time{}
	}
	for _, path := range p.Disclosed() {
		v.Claims = append(v.Claims, path.String())
	}
	slices.Sort(v.Claims)
	for name := range p.UnverifiedClaims() {
		if !slices.Contains(technical, name) && !slices.ContainsFunc(v.Claims, func(c string) bool { return c == name || strings.HasPrefix(c, name+".") }) {
			v.AlwaysShown = append(v.AlwaysShown, name)
		}
	}
	slices.Sort(v.AlwaysShown)
	if n, ok := p.UnverifiedClaims()["exp"].(json.Number); ok {
		if s, err := n.Int64(); err == nil {
			expires = time.Unix(s, 0)
		}
	}
	return expires
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
	p.Line("    claims   %s", deptclient.Clean(strings.Join(v.Claims, ", ")))
	if len(v.AlwaysShown) > 0 {
		p.Line("    always   %s (every verifier sees these)", deptclient.Clean(strings.Join(v.AlwaysShown, ", ")))
	}
}
