package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/register"
)

// Run works on jobs until there are none to have, or ctx ends. It is a background step of every node: the leases of jobs keep two nodes from
// working on one, and if they do, only one of them moves it.
func (s *Service) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		now := s.cfg.Now()
		j, err := s.cfg.Store.Lease(ctx, s.holder, now, now.Add(lease))
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		if err := s.work(ctx, j); err != nil && !errors.Is(err, ErrLost) {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	return s.signEnded(ctx)
}

// loaded is the chunk that a worker has open.
type loaded struct {
	seq   int64
	items []register.ImportItem
}

// work takes steps of one job until it ends, is lost, paused or cancelled.
func (s *Service) work(ctx context.Context, j Job) error {
	have := loaded{seq: -1}
	stale := 0
	for ctx.Err() == nil {
		began := s.cfg.Now()
		next, n, err := s.step(ctx, j, &have)
		if errors.Is(err, register.ErrStale) && stale < 5 {
			stale++ // another import of the same record won: look again
			continue
		}
		if err != nil {
			return err
		}
		j, stale = next, 0
		if j.State != Running {
			return nil
		}
		if err := s.pace(ctx, &j, n, began); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// pace waits as long as the job's rate asks, and reads the rate anew: it may be changed while the job runs.
func (s *Service) pace(ctx context.Context, j *Job, n int, began time.Time) error {
	if j.Rate <= 0 {
		return nil
	}
	wait := time.Duration(float64(n)/float64(j.Rate)*float64(time.Second)) - s.cfg.Now().Sub(began)
	if wait <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(wait, lease/2)):
	}
	return nil
}

// step takes one step and returns the job as it stands then, and how many records it took.
func (s *Service) step(ctx context.Context, j Job, have *loaded) (Job, int, error) {
	if j.At >= j.Chunks {
		return s.finish(ctx, j)
	}
	if have.seq != j.At {
		if err := s.load(ctx, j, have); err != nil {
			return j, 0, err
		}
	}
	limit := int64(batch)
	if j.Rate > 0 {
		limit = min(limit, j.Rate)
	}
	items := have.items[min(j.ChunkAt, int64(len(have.items))):]
	items = items[:min(limit, int64(len(items)))]
	b, err := s.cfg.Register.Prepare(ctx, j.department(), items)
	if err != nil {
		return j, 0, err
	}
	next := j
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Hold(ctx, j, s.holder, s.cfg.Now().Add(lease)); err != nil {
			return err
		}
		lines, err := s.cfg.Register.Put(ctx, b)
		if err != nil {
			return err
		}
		next, err = s.advance(ctx, j, lines, int64(len(have.items)))
		return err
	})
	if err != nil {
		return j, 0, err
	}
	fresh, err := s.cfg.Store.Get(ctx, j.Issuer, j.ID) // state and rate may have been changed by its department
	if err != nil {
		return j, 0, err
	}
	if fresh.Steps != next.Steps {
		return j, 0, ErrLost
	}
	return fresh, len(items), nil
}

// load opens the chunk at the cursor.
func (s *Service) load(ctx context.Context, j Job, have *loaded) error {
	sealed, err := s.cfg.Store.Chunk(ctx, j.ID, j.At)
	if errors.Is(err, ErrNotFound) {
		return ErrLost // another node used it up
	}
	if err != nil {
		return err
	}
	text, err := s.open(chunkPurpose(j.ID, j.At), sealed)
	if err != nil {
		return fmt.Errorf("opening chunk %d: %w", j.At, err)
	}
	have.items, err = readChunk(text)
	have.seq = j.At
	return err
}

// advance writes down what a step did.
func (s *Service) advance(ctx context.Context, j Job, lines []register.ImportLine, inChunk int64) (Job, error) {
	next := j
	var text bytes.Buffer
	h, err := j.reportHash()
	if err != nil {
		return j, err
	}
	for _, l := range lines {
		switch l.Result {
		case register.ResultCreated:
			next.Created++
		case register.ResultUnchanged:
			next.Unchanged++
		default:
			next.Refused++
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return j, err
		}
		text.Write(raw)
		text.WriteByte('\n')
	}
	_, _ = h.Write(text.Bytes())
	if err := next.setHash(h); err != nil {
		return j, err
	}
	st := Step{From: j}
	if next.ChunkAt += int64(len(lines)); next.ChunkAt >= inChunk {
		next.At, next.ChunkAt, st.ChunkDone = j.At+1, 0, true
	}
	next.Steps, next.UpdatedAt = j.Steps+1, s.cfg.Now()
	if st.Report, err = s.seal(reportPurpose(j.ID, j.Steps), text.Bytes()); err != nil {
		return j, err
	}
	st.To = next
	if err := s.cfg.Store.Advance(ctx, st); err != nil {
		return j, err
	}
	return next, s.event(ctx, next, "register.job_step", map[string]string{"step": strconv.FormatInt(j.Steps, 10), "created": strconv.FormatInt(next.Created-j.Created, 10),
		"report_sha256": next.ReportSHA256})
}

// finish ends a job that has no record left.
func (s *Service) finish(ctx context.Context, j Job) (Job, int, error) {
	next, err := s.end(ctx, j, Done, Running)
	return next, 0, err
}

// end closes a job and writes down what its report will say, before it is signed.
func (s *Service) end(ctx context.Context, j Job, state State, from ...State) (Job, error) {
	if j.ReportSHA256 == "" {
		var h hash.Hash
		h, err := j.reportHash()
		if err != nil {
			return j, err
		}
		if err := j.setHash(h); err != nil {
			return j, err
		}
	}
	j.State, j.FinishedAt = state, s.cfg.Now()
	j.UpdatedAt = j.FinishedAt
	err := s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Set(ctx, j, from...); err != nil {
			return err
		}
		return s.event(ctx, j, "register.job_ended", map[string]string{"state": string(state), "created": strconv.FormatInt(j.Created, 10),
			"unchanged": strconv.FormatInt(j.Unchanged, 10), "refused": strconv.FormatInt(j.Refused, 10), "report_sha256": j.ReportSHA256})
	})
	return j, err
}

func (s *Service) event(ctx context.Context, j Job, kind audit.Kind, detail map[string]string) error {
	return s.cfg.Audit(ctx, audit.Event{Kind: kind, Actor: j.Issuer, Subject: j.ID, Client: j.ClientID, Detail: detail})
}

// ReportType is the typ of a signed report.
const ReportType = "hufu-import-report+jwt"

// Report is what a signed report says.
type Report struct {
	Issuer     string `json:"iss"`
	IssuedAt   int64  `json:"iat"`
	Job        string `json:"job"`
	Authority  string `json:"authority"`
	Client     string `json:"client_id"`
	State      State  `json:"state"`
	FileSHA256 string `json:"file_sha256"`
	FileBytes  int64  `json:"file_bytes"`
	Records    int64  `json:"records"`
	Created    int64  `json:"created"`
	Unchanged  int64  `json:"unchanged"`
	Refused    int64  `json:"refused"`
	// ReportSHA256 is the hash of the lines, one JSON object for each record, in hex.
	ReportSHA256 string `json:"report_sha256"`
	StartedAt    int64  `json:"started_at"`
	FinishedAt   int64  `json:"finished_at"`
}

// signEnded signs the reports of jobs that have ended; what they say is in the job since its last transaction.
func (s *Service) signEnded(ctx context.Context) error {
	jobs, err := s.cfg.Store.Unsigned(ctx, 20)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		jws, err := s.cfg.Sign(ctx, ReportType, Report{Issuer: s.cfg.Origin, IssuedAt: j.FinishedAt.Unix(), Job: j.ID, Authority: j.Issuer, Client: j.ClientID, State: j.State,
			FileSHA256: j.SHA256, FileBytes: j.Size, Records: j.Records, Created: j.Created, Unchanged: j.Unchanged, Refused: j.Refused,
			ReportSHA256: j.ReportSHA256, StartedAt: j.StartedAt.Unix(), FinishedAt: j.FinishedAt.Unix()})
		if err != nil {
			return fmt.Errorf("job: signing a report: %w", err)
		}
		if err := s.cfg.Store.Sign(ctx, j.ID, jws); err != nil && !errors.Is(err, ErrLost) {
			return err
		}
	}
	return nil
}
