package walletcmd

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
	"github.com/hufu-id/hufu/signing/linkable"
)

// Exit codes of `hufu wallet linkable`, beside wrong usage.
const (
	exitLinkable   = 2
	exitSuspicious = 3
)

func linkableCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "linkable ID | linkable FILE FILE...",
		Short: "Say whether copies of one credential can be recognised as such",
		Long: `Say whether two verifiers who compare what they were shown could find out that it was the same holder: by a key, salt, digest or label that copies share,
by times to the second, by status indices that count or lie together, by sizes that count the copies.

Give the ID of a credential in the wallet with two copies or more, or files with one credential each, as the issuer gave them and in that order.

What the licence says is the same in every copy; that links as far as few people have the same, and is listed. Chance makes two things look alike now and then:
"suspicious" is what chance does less than once in a thousand batches (look at another batch), "linkable" less than once in a million.

Exit codes: 0 nothing found, 1 wrong usage, 2 linkable, 3 suspicious.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			copies, err := f.copies(args)
			if err != nil {
				return f.fail(cmd, err)
			}
			r, err := linkable.Compare(copies...)
			switch {
			case errors.Is(err, linkable.ErrFew) && len(args) == 1:
				return f.fail(cmd, deptclient.Usage("%s has one copy only, and one alone can't be compared; take more: hufu wallet accept OFFER --copies 10", args[0]))
			case err != nil:
				return f.fail(cmd, deptclient.Usage("%v", err))
			}
			if err := f.answer(cmd, r, func(p *deptclient.Printer) { printReport(p, r) }); err != nil {
				return err
			}
			if code := map[linkable.Verdict]int{linkable.Linkable: exitLinkable, linkable.Suspicious: exitSuspicious}[r.Verdict]; code != 0 {
				return &deptclient.ExitError{Code: code}
			}
			return nil
		},
	}
}

// copies reads the copies of one taking, or one of each file.
func (f *flags) copies(args []string) (out [][]byte, err error) {
	if len(args) == 1 {
		if _, err := os.Stat(f.dir); err != nil {
			return nil, deptclient.Usage("there is no wallet in %s", f.dir)
		}
		store, err := folder.Open(f.dir)
		if err != nil {
			return nil, err
		}
		t, err := store.Get(args[0])
		if errors.Is(err, folder.ErrNotFound) {
			return nil, fmt.Errorf("%w; to compare files give two or more", err)
		}
		for _, c := range t.Copies {
			out = append(out, []byte(c.Text))
		}
		return out, err
	}
	for _, name := range args {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func printReport(p *deptclient.Printer, r linkable.Report) {
	words := map[linkable.Verdict]string{linkable.Clean: "CLEAN: nothing that these %d copies share tells that they are one holder's",
		linkable.Suspicious: "SUSPICIOUS: these %d copies may be recognised; look at another batch", linkable.Linkable: "LINKABLE: these %d copies can be recognised as one holder's"}
	p.Line(words[r.Verdict], r.Copies)
	p.Line("")
	marks := map[linkable.Verdict]string{linkable.Clean: "ok", linkable.Suspicious: "SUSPECT", linkable.Linkable: "LINKS"}
	for _, i := range r.Items {
		p.Line("  %-16s %-8s %s", i.Name, marks[i.Verdict], deptclient.Clean(i.Said))
	}
}
