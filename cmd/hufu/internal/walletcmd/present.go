package walletcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

type presentFlags struct {
	*flags
	nonce, audience, out string
	show                 []string
	all                  bool
}

func presentCmd(f *flags) *cobra.Command {
	p := &presentFlags{flags: f}
	cmd := &cobra.Command{
		Use:   "present [ID] --nonce NONCE --audience AUDIENCE --show CLAIM,...",
		Short: "Show a credential to a verifier: selected claims, with a proof by the holder's key",
		Long: `Show a credential to a verifier. The presentation goes to standard output, or to a new file (--out).

ID may be left out when there is one credential to show. Each copy is used once, because a copy that is shown twice can be recognised; when the last one is
used, the wallet says so and takes no other. Claims that the issuer always shows can't be withheld.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := folder.Open(f.dir)
			if err != nil {
				return f.fail(cmd, err)
			}
			if err := p.present(cmd, store, args); err != nil {
				return f.fail(cmd, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&p.nonce, "nonce", "", "the verifier's nonce (required)")
	cmd.Flags().StringVar(&p.audience, "audience", "", "who the verifier is, as it says itself (required)")
	cmd.Flags().StringSliceVar(&p.show, "show", nil, "claims to show, with commas between them, by the names that list shows")
	cmd.Flags().BoolVar(&p.all, "all", false, "show every claim")
	cmd.Flags().StringVar(&p.out, "out", "", "new file for the presentation")
	return cmd
}

func (p *presentFlags) present(cmd *cobra.Command, store *folder.Folder, args []string) error {
	if p.nonce == "" || p.audience == "" {
		return deptclient.Usage("--nonce and --audience are needed: the proof answers one verifier's challenge")
	}
	t, err := pick(store, args, time.Now())
	if err != nil {
		return err
	}
	if t.Pending {
		return deptclient.Usage("%s is not here yet: hufu wallet fetch %s", t.ID, t.ID)
	}
	v := describe(t, time.Now())
	if err := p.checkShow(v); err != nil {
		return err
	}
	file, err := p.open() // before a copy is used up
	if err != nil {
		return err
	}
	text, left, err := p.use(store, t)
	if err != nil {
		if file != nil {
			_ = errors.Join(file.Close(), os.Remove(p.out))
		}
		return err
	}
	return p.deliver(cmd, file, t, text, left)
}

// use takes the next copy and makes the presentation.
func (p *presentFlags) use(store *folder.Folder, t folder.Taking) (text string, left int, err error) {
	c, left, err := store.Use(t)
	if errors.Is(err, folder.ErrUsedUp) {
		return "", 0, deptclient.Usage("every copy of %s was shown already; a copy that is shown twice can be recognised. Get new ones: hufu wallet refresh %s, or a new offer", t.ID, t.ID)
	}
	if err != nil {
		return "", 0, err
	}
	d, err := open(c)
	if err != nil {
		return "", 0, err
	}
	show := p.show
	if p.all {
		show = d.claims()
	}
	text, err = d.present(c, p.audience, p.nonce, show)
	return text, left, err
}

// open makes the file of --out, nil when there is none.
func (p *presentFlags) open() (*os.File, error) {
	if p.out == "" {
		return nil, nil
	}
	file, err := os.OpenFile(p.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, deptclient.Usage("%s exists already; the wallet overwrites nothing", p.out)
	}
	return file, err
}

// pick finds the credential to show: the named one, or the only one that can be shown.
func pick(store *folder.Folder, args []string, at time.Time) (folder.Taking, error) {
	if len(args) == 1 {
		return store.Get(args[0])
	}
	all, err := store.List()
	if err != nil {
		return folder.Taking{}, err
	}
	all = slices.DeleteFunc(all, func(t folder.Taking) bool { return describe(t, at).State != "ready" })
	switch len(all) {
	case 0:
		return folder.Taking{}, deptclient.Usage("the wallet holds nothing that can be shown; see hufu wallet list")
	case 1:
		return all[0], nil
	}
	var ids []string
	for _, t := range all {
		ids = append(ids, t.ID+" ("+t.Configuration+")")
	}
	return folder.Taking{}, deptclient.Usage("which one? give an ID: %s", deptclient.Clean(strings.Join(ids, ", ")))
}

// checkShow refuses a mistyped claim before a copy is used up.
func (p *presentFlags) checkShow(v view) error {
	if p.all == (len(p.show) > 0) {
		return deptclient.Usage("say what to show: --show with some of %s; or --all", deptclient.Clean(strings.Join(v.Claims, ", ")))
	}
	for _, name := range p.show {
		if slices.Contains(v.AlwaysShown, name) {
			continue
		}
		if !slices.ContainsFunc(v.Claims, func(c string) bool { return names(name, c) }) {
			return deptclient.Usage("%s has no claim %q to show; it has: %s", v.ID, deptclient.Clean(name), deptclient.Clean(strings.Join(v.Claims, ", ")))
		}
	}
	return nil
}

func (p *presentFlags) deliver(cmd *cobra.Command, file *os.File, t folder.Taking, text string, left int) error {
	if file != nil {
		_, err := io.WriteString(file, text+"\n")
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	if p.json {
		return printJSON(cmd, map[string]any{"id": t.ID, "format": t.Format, "presentation": text, "file": p.out, "left": left})
	}
	if p.out == "" {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), text); err != nil {
			return err
		}
	}
	said := fmt.Sprintf("Shown with one copy of %s; %d left.", t.ID, left)
	if left == 0 {
		said = fmt.Sprintf("Shown with the LAST copy of %s. Get new ones before the next verifier: hufu wallet refresh %s", t.ID, t.ID)
	}
	_, err := fmt.Fprintln(cmd.ErrOrStderr(), said)
	return err
}
