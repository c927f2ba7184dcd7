package clientcmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/oidc/client"
)

// print says what would change. + is a new client, ~ a changed one, = one that is as the file says.
func (p plan) print(out *deptclient.Printer) {
	for _, c := range p {
		switch {
		case c.version == 0:
			out.Line("+ %s: new", c.after.ID)
		case len(c.fields) == 0:
			out.Line("= %s: no change", c.after.ID)
		default:
			out.Line("~ %s: changed", c.after.ID)
		}
		for _, f := range c.fields {
			from, to := deptclient.Clean(f.From), deptclient.Clean(f.To)
			switch {
			case from == "":
				out.Line("    %s: %s", f.Name, to)
			case to == "":
				out.Line("    %s: %s -> nothing", f.Name, from)
			default:
				out.Line("    %s: %s -> %s", f.Name, from, to)
			}
		}
		if c.secret != "" {
			out.Line("    its secret is made by apply and printed once")
		}
	}
	if p.changes() == 0 {
		out.Line("Nothing to change.")
		return
	}
	out.Line("%d of %d clients differ from the file.", p.changes(), len(p))
}

// printSecrets ends an apply.
func (p plan) printSecrets(out *deptclient.Printer) {
	if p.changes() > 0 {
		out.Line("Done.")
	}
	for _, c := range p {
		if c.secret != "" {
			out.Line("Secret of %s, not shown again: %s", c.after.ID, c.secret)
		}
	}
}

// printList writes a table for people. The names come last: Chinese is wider than a terminal's columns think.
func printList(w io.Writer, all []client.Client, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CLIENT\tSTATE\tPROFILE\tPROVES ITSELF BY\tMAY ASK FOR\tNAME")
	for _, c := range all {
		profile := c.Profile
		if profile == "" {
			profile = "core"
		}
		name := c.Name.ZH
		if name == "" {
			name = c.Name.EN
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, state(c, now), profile, method(c.AuthMethod), deptclient.Clean(strings.Join(c.Scopes, " ")), deptclient.Clean(name))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d clients. hufu client list --json has everything but the secrets.\n", len(all))
	return err
}

func state(c client.Client, now time.Time) string {
	switch {
	case c.Disabled:
		return "disabled"
	case c.PreviousSecretHash != "" && now.Before(c.PreviousSecretEnds):
		return "two secrets until " + stamp(c.PreviousSecretEnds)
	case c.Dynamic && !c.Used:
		return "registered itself, never used"
	case c.Dynamic:
		return "registered itself"
	}
	return "in use"
}

// method is an authentication method in words.
func method(m client.AuthMethod) string {
	switch m {
	case client.SecretBasic, client.SecretPost:
		return "secret"
	case client.PrivateKeyJWT:
		return "key"
	case client.TLS, client.SelfSignedTLS:
		return "certificate"
	}
	return "nothing (public)"
}
