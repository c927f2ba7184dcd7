package keyscmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// newReissueCmd is hufu keys reissue: the day after a key was stolen.
func newReissueCmd(config *string) *cobra.Command {
	var rate int
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "reissue [KEY]",
		Short: "Issue again, for the wallets kept here, what a key signed; without KEY, report on it",
		Long: "Every copy in the hosted wallet that KEY signed is replaced by a new one, signed by the key of today and with a key of its own. The running server does it, at most\n" +
			"--rate copies in a second; it may be stopped at any time and goes on where it was. Without KEY the jobs and what became of them are listed.\n" +
			"Without --yes nothing is begun.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withKeys(cmd.Context(), *config, func(k *node.KeyRoom) error {
				if len(args) == 0 {
					return reportReissues(cmd, k, asJSON)
				}
				return beginReissue(cmd, k, args[0], rate, yes)
			})
		},
	}
	cmd.Flags().IntVar(&rate, "rate", 50, "copies in a second, at most")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	cmd.Flags().BoolVar(&asJSON, "json", false, "report as JSON")
	return cmd
}

func beginReissue(cmd *cobra.Command, k *node.KeyRoom, key string, rate int, yes bool) error {
	for _, p := range k.Purposes() {
		all, err := k.Keys.Keys(cmd.Context(), p)
		if errors.Is(err, keys.ErrNoPurpose) {
			continue
		}
		if err != nil {
			return err
		}
		for _, have := range all {
			if have.ID == key && have.State == keys.Active {
				return fmt.Errorf("the key still signs for %s: revoke or rotate it first, or the new copies would be signed by it too", p)
			}
		}
	}
	if !yes {
		fmt.Fprintf(cmd.OutOrStdout(), "Would issue again what %s signed, at most %d copies in a second. Nothing was begun; add --yes to do it.\n", key, rate)
		return nil
	}
	j, err := k.Reissue.Begin(cmd.Context(), key, rate, "operator")
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Begun: job %s. The running server does it; hufu keys reissue reports.\n", j.ID)
	return nil
}

// jobView is a job as --json prints it.
type jobView struct {
	ID       string     `json:"id"`
	Key      string     `json:"key"`
	State    string     `json:"state"`
	Rate     int        `json:"rate"`
	Total    int64      `json:"total"`
	Renewed  int64      `json:"renewed"`
	Gone     int64      `json:"gone"`
	Failed   int64      `json:"failed"`
	Waiting  int64      `json:"waiting"`
	Begun    time.Time  `json:"begun_at"`
	Finished *time.Time `json:"finished_at,omitempty"`
}

func reportReissues(cmd *cobra.Command, k *node.KeyRoom, asJSON bool) error {
	jobs, err := k.Reissue.Jobs(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, j := range jobs {
		if asJSON {
			v := jobView{j.ID, j.SignerKey, j.State, j.Rate, j.Total(), j.Renewed, j.Gone, j.Failed, j.Waiting, j.CreatedAt, nil}
			if j.State == reissue.Finished {
				v.Finished = &j.FinishedAt
			}
			if err := json.NewEncoder(out).Encode(v); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "job %s  key %s  %s\n  begun %s, at most %d/s: %d copies; renewed or replaced %d, not in force any more %d, failed %d, waiting %d\n",
			j.ID, j.SignerKey, j.State, j.CreatedAt.UTC().Format(time.RFC3339), j.Rate, j.Total(), j.Renewed, j.Gone, j.Failed, j.Waiting)
		if j.State == reissue.Finished {
			took := j.FinishedAt.Sub(j.CreatedAt)
			fmt.Fprintf(out, "  finished %s, after %s\n", j.FinishedAt.UTC().Format(time.RFC3339), took.Round(time.Second))
		}
	}
	if len(jobs) == 0 && !asJSON {
		fmt.Fprintln(out, "No job was ever begun.")
	}
	return nil
}
