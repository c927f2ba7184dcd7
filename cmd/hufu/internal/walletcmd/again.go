package walletcmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

type againFlags struct {
	*flags
	who
	copies int
	wait   time.Duration
}

func fetchCmd(f *flags) *cobra.Command {
	a := &againFlags{flags: f}
	cmd := &cobra.Command{
		Use:   "fetch ID",
		Short: "Ask again for a credential that the issuer put off",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(store *folder.Folder) (any, func(*deptclient.Printer), error) {
				return a.fetch(cmd.Context(), store, args[0])
			})
		},
	}
	a.bind(cmd)
	cmd.Flags().DurationVar(&a.wait, "wait", 0, "how long to wait; 0 asks once")
	return cmd
}

func refreshCmd(f *flags) *cobra.Command {
	a := &againFlags{flags: f}
	cmd := &cobra.Command{
		Use:   "refresh ID",
		Short: "Get new copies of a credential, without an offer",
		Long: `Get new copies of a credential, without an offer: by the refresh token that came with it, where the issuer gave one. The old copies stay in the wallet, marked as
replaced.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(store *folder.Folder) (any, func(*deptclient.Printer), error) {
				return a.refresh(cmd.Context(), store, args[0])
			})
		},
	}
	a.bind(cmd)
	cmd.Flags().IntVar(&a.copies, "copies", 0, "how many copies; as many as before when 0")
	cmd.Flags().DurationVar(&a.wait, "wait", 2*time.Minute, "how long to wait for a credential that the issuer puts off")
	return cmd
}

// resume finds a taking and makes the wallet as it was then.
func (a *againFlags) resume(ctx context.Context, store *folder.Folder, id string) (folder.Taking, taking, wallet.Session, error) {
	stored, err := store.Get(id)
	if err != nil {
		return stored, taking{}, wallet.Session{}, err
	}
	if stored.Session == nil {
		return stored, taking{}, wallet.Session{}, deptclient.Usage("%s has nothing to ask the issuer with; get a new offer", id)
	}
	w, err := a.wallet(stored.Issuer, "")
	if err != nil {
		return stored, taking{}, wallet.Session{}, err
	}
	s, err := w.LoadSession(stored.Session)
	if err != nil {
		return stored, taking{}, s, err
	}
	if a.clientID == "" && a.provider == "" && s.ClientID != "" {
		a.clientID = s.ClientID
		if w, err = a.wallet(stored.Issuer, ""); err != nil {
			return stored, taking{}, s, err
		}
		if s, err = w.LoadSession(stored.Session); err != nil {
			return stored, taking{}, s, err
		}
	}
	i, err := w.DiscoverAt(ctx, s.Issuer, s.Server)
	return stored, taking{store: store, w: w, i: i, configuration: stored.Configuration, token: s.Token, wait: a.wait, clientID: a.clientID}, s, err
}

func (a *againFlags) fetch(ctx context.Context, store *folder.Folder, id string) (any, func(*deptclient.Printer), error) {
	stored, t, s, err := a.resume(ctx, store, id)
	if err != nil {
		return nil, nil, err
	}
	if !stored.Pending || s.Pending == nil {
		return nil, nil, deptclient.Usage("%s is here already; nothing was put off", id)
	}
	t.id = id
	b, err := t.w.Resume(ctx, t.i, t.configuration, t.token, *s.Pending, a.wait)
	var later *wallet.PendingError
	if errors.As(err, &later) {
		return t.postpone(later.Pending)
	}
	if err != nil {
		return nil, nil, err
	}
	return t.keep(ctx, b)
}

func (a *againFlags) refresh(ctx context.Context, store *folder.Folder, id string) (any, func(*deptclient.Printer), error) {
	stored, t, s, err := a.resume(ctx, store, id)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case stored.Pending:
		return nil, nil, deptclient.Usage("%s is not here yet: hufu wallet fetch %s", id, id)
	case stored.Replaced != "":
		return nil, nil, deptclient.Usage("%s was replaced by %s already: hufu wallet refresh %s", id, stored.Replaced, stored.Replaced)
	case s.Token.RefreshToken == "":
		return nil, nil, deptclient.Usage("the issuer gave no refresh token with %s; get a new offer", id)
	}
	if t.token, err = t.w.Refresh(ctx, t.i, s.Token); err != nil {
		return nil, nil, err
	}
	t.replaces = id
	if a.copies == 0 {
		a.copies = len(stored.Copies)
	}
	return t.take(ctx, wallet.TakeOptions{Copies: a.copies, Wait: a.wait})
}
