// Package job imports large files of licences: the file is sent once, streamed and by its hash; any node then registers it step by step.
//
// A step is one transaction: the records, the cursor, the counts, the part of the report and its hash move together or not at all. So a job that
// loses its node is taken up by another where it stood, without a licence missing or doubled. Nothing of a file is held in memory but one chunk.
package job

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"log/slog"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register"
)

// State is where a job is.
type State string

// States of a job. A job that is Done or Cancelled never changes again, but that its report is signed.
const (
	Uploading State = "uploading"
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done"
	Cancelled State = "cancelled"
)

// Limits.
const (
	// MaxFile is the most bytes of a file.
	MaxFile = 4 << 30
	// chunkBytes and chunkRecords bound a chunk, the unit in which a file is kept.
	chunkBytes   = 1 << 20
	chunkRecords = 500
	// batch is the most records of one step: a transaction of some hundred milliseconds.
	batch = 250
	// lease is how long a job waits for the node that has it.
	lease = 10 * time.Second
)

// Why a job can't be had or changed.
var (
	ErrNotFound = errors.New("job: there is no such job")
	// ErrLost: somebody else has the job, or its state changed meanwhile.
	ErrLost = errors.New("job: taken over or changed meanwhile")
	// ErrState: the job's state doesn't allow it.
	ErrState = errors.New("job: the state of the job doesn't allow this")
	// ErrInvalid is a file or request that can't be read; its text is for who sent it.
	ErrInvalid = errors.New("job: invalid request")
)

// Job is one import.
type Job struct {
	ID string
	// Issuer is the authority's credit code: only its own systems see the job.
	Issuer, ClientID string
	// SHA256 is the hash of the file in hex; Size its bytes.
	SHA256 string
	Size   int64
	// Format is "csv" or "jsonl"; TypeID the licence type of records that name none.
	Format, TypeID string
	State          State
	// Upload names the request that sends the file.
	Upload string
	// Chunks and Records are what was sent.
	Chunks, Records int64
	// At and ChunkAt are the cursor: the next record is number ChunkAt of chunk At. Steps counts the steps done.
	At, ChunkAt, Steps          int64
	Created, Unchanged, Refused int64
	// Rate is the most records in a second; 0 is as fast as it goes.
	Rate int64
	// HashState is the state of the report's hash after Steps; ReportSHA256 its end, in hex.
	HashState, ReportSHA256 string
	// JWS is the signed report of a job that has ended.
	JWS                                         string
	CreatedAt, StartedAt, UpdatedAt, FinishedAt time.Time
}

// Step is what one transaction adds.
type Step struct {
	// From is the job as it stood; To as it stands then.
	From, To Job
	// Report is the sealed part of the report.
	Report string
	// ChunkDone: the chunk From.At is used up and can go.
	ChunkDone bool
}

// Store keeps jobs. All methods join the transaction in ctx and are safe for concurrent use on any number of nodes.
type Store interface {
	// Create adds a job. register.ErrExists if this file of this authority is under way.
	Create(ctx context.Context, j Job) error
	// Get finds a job of an authority. ErrNotFound.
	Get(ctx context.Context, issuer, id string) (Job, error)
	// ByFile finds the newest job of an authority with a file of this hash. ErrNotFound.
	ByFile(ctx context.Context, issuer, sha256 string) (Job, error)
	// List returns the newest jobs of an authority.
	List(ctx context.Context, issuer string, limit int) ([]Job, error)
	// Restart makes upload the one that sends the file of a job in state Uploading, and forgets what was sent before. ErrLost.
	Restart(ctx context.Context, id, upload string, now time.Time) error
	// AddChunk adds chunk seq with n records, if upload is sending the file. ErrLost.
	AddChunk(ctx context.Context, id, upload string, seq, n int64, body string, now time.Time) error
	// Uploaded ends the upload: the job runs. ErrLost, also when the department has another job of that file under way.
	Uploaded(ctx context.Context, id, upload, sha256 string, size int64, now time.Time) error
	// Set changes state and rate, if the state is one of from. ErrLost.
	Set(ctx context.Context, j Job, from ...State) error
	// Lease gives holder a running job that nobody else has, until a time; ErrNotFound if there is none. Who has one gets it again.
	Lease(ctx context.Context, holder string, now, until time.Time) (Job, error)
	// Hold renews the lease if the job still stands where it stood, and keeps it so until the transaction in ctx ends. ErrLost.
	Hold(ctx context.Context, j Job, holder string, until time.Time) error
	// Chunk returns a chunk. ErrNotFound.
	Chunk(ctx context.Context, id string, seq int64) (string, error)
	// Advance records a step after Hold.
	Advance(ctx context.Context, s Step) error
	// Report returns up to limit parts of the report from seq on.
	Report(ctx context.Context, id string, seq int64, limit int) ([]string, error)
	// Unsigned returns jobs that have ended and have no signed report.
	Unsigned(ctx context.Context, limit int) ([]Job, error)
	// Sign stores the signed report and forgets the chunks. ErrLost if there was one.
	Sign(ctx context.Context, id, jws string) error
}

// Register is where licences are put.
type Register interface {
	Prepare(ctx context.Context, d register.Department, items []register.ImportItem) (register.Batch, error)
	Put(ctx context.Context, b register.Batch) ([]register.ImportLine, error)
	Types() []register.LicenceType
}

// Sealer encrypts what may not be read in a stolen database.
type Sealer interface {
	SealBytes(purpose string, plain []byte) []byte
	OpenBytes(purpose string, sealed []byte) ([]byte, error)
}

// Config is what a Service needs. All members are required but Departments (without it there is no API), Now and Log.
type Config struct {
	Store       Store
	Register    Register
	Departments register.Departments
	Tx          func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit       func(ctx context.Context, ev audit.Event) error
	Sealer      Sealer
	// Sign signs a report; Keys are the public keys by which others check it.
	Sign func(ctx context.Context, typ string, payload any) (string, error)
	Keys func(ctx context.Context) ([]jose.JWK, error)
	// Origin is who says so in the signed report.
	Origin string
	Now    func() time.Time
	Log    *slog.Logger
}

// Service runs jobs. It is safe for concurrent use.
type Service struct {
	cfg    Config
	holder string
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Register == nil || cfg.Tx == nil || cfg.Audit == nil || cfg.Sealer == nil || cfg.Sign == nil || cfg.Keys == nil || cfg.Origin == "" {
		return nil, errors.New("job: a required part is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, holder: newID()}, nil
}

// department is who sent the job, as the register knows it.
func (j Job) department() register.Department {
	return register.Department{Code: j.Issuer, ClientID: j.ClientID}
}

// reportHash is the report's hash as far as it goes. The state of SHA-256 can be written down: no step reads the report again.
func (j Job) reportHash() (hash.Hash, error) {
	h := sha256.New()
	if j.HashState == "" {
		return h, nil
	}
	b, err := base64.StdEncoding.DecodeString(j.HashState)
	if err != nil {
		return nil, err
	}
	return h, h.(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
}

// setHash writes the state of the hash down.
func (j *Job) setHash(h hash.Hash) error {
	b, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	j.HashState, j.ReportSHA256 = base64.StdEncoding.EncodeToString(b), hex.EncodeToString(h.Sum(nil))
	return nil
}
