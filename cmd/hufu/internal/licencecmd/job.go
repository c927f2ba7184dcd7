package licencecmd

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// jobFlags are those of an import as a job.
type jobFlags struct {
	job    bool
	typeID string
	rate   int64
	again  bool
	report string
}

func (o *jobFlags) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.job, "job", false, "send the file as a job that the server works on; for large files, and for CSV")
	cmd.Flags().StringVar(&o.typeID, "type", "", "with --job: licence type of a CSV file without a column \"type\"")
	cmd.Flags().Int64Var(&o.rate, "rate", 0, "with --job: the most records in a second; 0 is as fast as it goes")
	cmd.Flags().BoolVar(&o.again, "again", false, "with --job: send a file again that was imported before")
	cmd.Flags().StringVar(&o.report, "report", "", "with --job: write the report here (a line per record), and the signed one beside it (.jws)")
}

// run is the import as a job: exit code 2 if a record was refused.
func (o *jobFlags) run(f *licenceFlags, cmd *cobra.Command, name string) error {
	if name == "-" {
		return deptclient.Usage("--job needs a file: its hash is how the job is found again")
	}
	refused := int64(0)
	err := f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
		v, err := o.importJob(cmd, c, name)
		refused = v.Refused
		return v, func(p *printer) { p.job(v) }, err
	})
	if err == nil && refused > 0 {
		return &ExitError{Code: ExitRefused}
	}
	return err
}

// importJob sends the file unless the server has it, and shows how its job gets on. Run again after an interruption, it finds the job by the file's hash.
func (o *jobFlags) importJob(cmd *cobra.Command, c *departmentClient, name string) (job.View, error) {
	ctx := cmd.Context()
	f, err := os.Open(name)
	if err != nil {
		return job.View{}, fmt.Errorf("the file can't be read: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return job.View{}, fmt.Errorf("the file can't be read: %w", err)
	}
	v, found, err := c.jobOfFile(ctx, hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return v, err
	}
	if found && v.State != job.Uploading && (v.State != job.Done && v.State != job.Cancelled || v.State == job.Done && !o.again) {
		fmt.Fprintf(cmd.ErrOrStderr(), "The server has this file already: job %s.\n", v.ID)
	} else if v, err = o.send(cmd, c, f, size, sum.Sum(nil)); err != nil {
		return v, err
	}
	if v, err = c.follow(ctx, newBar(cmd.ErrOrStderr()), v); err != nil || o.report == "" {
		return v, err
	}
	return v, c.fetchReport(ctx, v.ID, o.report)
}

func (c *departmentClient) jobOfFile(ctx context.Context, sum string) (job.View, bool, error) {
	var page struct{ Jobs []job.View }
	if err := c.Call(ctx, http.MethodGet, job.Path+"?sha256="+sum, "", nil, &page); err != nil || len(page.Jobs) == 0 {
		return job.View{}, false, err
	}
	return page.Jobs[0], true, nil
}

func (o *jobFlags) send(cmd *cobra.Command, c *departmentClient, f *os.File, size int64, sum []byte) (v job.View, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return v, err
	}
	media := "application/x-ndjson"
	if strings.HasSuffix(strings.ToLower(f.Name()), ".csv") {
		media = "text/csv"
	}
	q := url.Values{}
	if o.typeID != "" {
		q.Set("type", o.typeID)
	}
	if o.rate != 0 {
		q.Set("rate", strconv.FormatInt(o.rate, 10))
	}
	path := job.Path
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	bar := newBar(cmd.ErrOrStderr())
	body := &watched{r: f, seen: func(n int64) { bar.show("sending", n, size, "bytes", false) }}
	err = c.Send(cmd.Context(), path, map[string]string{"Content-Type": media, "Content-Digest": "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"}, body, size, &v)
	bar.end()
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "The server has the file: job %s with %d records.\n", v.ID, v.Records)
	}
	return v, err
}

// watched tells how much of a file was read.
type watched struct {
	r    io.Reader
	n    int64
	seen func(n int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	w.seen(w.n)
	return n, err
}

// follow shows a job until it ends, is paused, or the report of its end is signed.
func (c *departmentClient) follow(ctx context.Context, bar *bar, v job.View) (job.View, error) {
	defer bar.end()
	faults := 0
	for {
		bar.show("registering", v.Done, v.Records, "records", v.State != job.Running)
		if v.State == job.Paused || (v.State == job.Done || v.State == job.Cancelled) && v.Signed {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("stopped watching; the server goes on with job %s, and the same command looks at it again", v.ID)
		case <-time.After(time.Second):
		}
		next, err := c.job(ctx, v.ID)
		var refused *deptclient.Refusal
		if err != nil && !errors.As(err, &refused) && faults < 60 && ctx.Err() == nil {
			faults++ // a node that is gone for a moment
			continue
		}
		if err != nil && ctx.Err() == nil {
			return v, fmt.Errorf("lost sight of job %s (the same command looks at it again): %w", v.ID, err)
		}
		if err == nil {
			v, faults = next, 0
		}
	}
}

func (c *departmentClient) job(ctx context.Context, id string) (v job.View, err error) {
	err = c.Call(ctx, http.MethodGet, job.Path+"/"+url.PathEscape(id), "", nil, &v)
	return v, err
}

// fetchReport writes the lines of a report to a file and the signed report beside it.
func (c *departmentClient) fetchReport(ctx context.Context, id, name string) error {
	for suffix, path := range map[string]string{"": "/report", ".jws": "/report.jws"} {
		f, err := os.OpenFile(name+suffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it names licences
		if err != nil {
			return err
		}
		if err := errors.Join(c.Fetch(ctx, job.Path+"/"+url.PathEscape(id)+path, f), f.Close()); err != nil {
			return fmt.Errorf("the report: %w", err)
		}
	}
	return nil
}

func licenceJobCmd(f *licenceFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "job", Short: "Look after imports of large files; verify their signed reports"}
	cmd.AddCommand(jobListCmd(f), jobShowCmd(f), jobReportCmd(f), jobVerifyCmd(f))
	for _, x := range []struct{ name, short, done string }{
		{"pause", "Pause a job; what was registered stays", "paused"}, {"resume", "Go on with a paused job", "running"}, {"cancel", "End a job; what was registered stays", "cancelled"}} {
		cmd.AddCommand(&cobra.Command{Use: x.name + " ID", Short: x.short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return f.changeJob(cmd, args[0], job.Change{State: job.State(x.done)})
			}})
	}
	cmd.AddCommand(&cobra.Command{Use: "rate ID RECORDS", Short: "Set the most records in a second, also while a job runs; 0 is as fast as it goes", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || n < 0 {
				return deptclient.Usage("the rate must be a number of records in a second")
			}
			return f.changeJob(cmd, args[0], job.Change{Rate: &n})
		}})
	return cmd
}

func (f *licenceFlags) changeJob(cmd *cobra.Command, id string, change job.Change) error {
	return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
		body, err := json.Marshal(change)
		if err != nil {
			return nil, nil, err
		}
		var v job.View
		err = c.Call(cmd.Context(), http.MethodPatch, job.Path+"/"+url.PathEscape(id), "application/json", body, &v)
		return v, func(p *printer) { p.job(v) }, err
	})
}

func jobListCmd(f *licenceFlags) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the newest jobs of the department", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
			var page struct {
				Jobs []job.View `json:"jobs"`
			}
			err := c.Call(cmd.Context(), http.MethodGet, job.Path, "", nil, &page)
			return page, func(p *printer) { p.jobs(page.Jobs) }, err
		})
	}}
}

func jobShowCmd(f *licenceFlags) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show a job", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
			v, err := c.job(cmd.Context(), args[0])
			return v, func(p *printer) { p.job(v) }, err
		})
	}}
}

func jobReportCmd(f *licenceFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "report ID --out FILE", Short: "Fetch the report of a job, and the signed one (FILE.jws)", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return deptclient.Usage("--out FILE is needed")
		}
		return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
			err := c.fetchReport(cmd.Context(), args[0], out)
			answer := map[string]string{"report": out, "signed": out + ".jws"}
			return answer, func(p *printer) { p.line("Written: %s and %s.jws", clean(out), clean(out)) }, err
		})
	}}
	cmd.Flags().StringVar(&out, "out", "", "where to write the report (required)")
	return cmd
}
