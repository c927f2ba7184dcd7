// Package registry opens the departments' register of a node: licences, the API over them, and the jobs that import large files.
package registry

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/jobstore"
	"github.com/hufu-id/hufu/internal/sqlstore/registerstore"
	"github.com/hufu-id/hufu/internal/sweep"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/job"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

// ReportKey signs the reports of import jobs.
const ReportKey keys.Purpose = "register-report"

// Spec is how ReportKey is kept: a report must be checkable for as long as somebody may ask who registered what.
func Spec() keys.Spec {
	const day = 24 * time.Hour
	return keys.Spec{RotateEvery: 365 * day, PublishAhead: day, Keep: 3650 * day}
}

// Config is what the node gives.
type Config struct {
	Origin      string
	DB          *sqlstore.DB
	Status      register.StatusLists
	Departments register.Departments
	MayIssue    func(ctx context.Context, code, typeID string) (bool, error)
	// SealKey and IndexKey are those of the register.
	SealKey, IndexKey []byte
	Keys              *keys.Service
	Log               *slog.Logger
}

// Room is the register with what stands around it.
type Room struct {
	*register.Service
	api  *registerapi.API
	jobs *job.Service
}

// Open opens the room.
func Open(c Config) (*Room, error) {
	sealer := httpx.NewSealer(c.SealKey)
	reg, err := register.New(register.Config{Store: registerstore.New(c.DB), Tx: c.DB.InTx, Audit: c.DB.Audit, Status: c.Status, MayIssue: c.MayIssue,
		Sealer: sealer, IndexKey: c.IndexKey, TypeBase: c.Origin})
	if err != nil {
		return nil, err
	}
	r := &Room{Service: reg}
	if r.api, err = registerapi.New(registerapi.Config{Register: reg, Departments: c.Departments, Log: c.Log}); err != nil {
		return nil, err
	}
	r.jobs, err = job.New(job.Config{Store: jobstore.New(c.DB), Register: reg, Departments: c.Departments, Tx: c.DB.InTx, Audit: c.DB.Audit, Sealer: sealer, Origin: c.Origin,
		Sign: func(ctx context.Context, typ string, payload any) (string, error) {
			s, err := c.Keys.Signer(ctx, ReportKey)
			if err != nil {
				return "", err
			}
			return jose.SignJSON(s.Key(), jose.Header{Typ: typ}, payload)
		},
		Keys: func(ctx context.Context) ([]jose.JWK, error) { return c.Keys.JWKS(ctx, ReportKey) }, Log: c.Log})
	return r, err
}

// Routes mounts the department API and the jobs.
func (r *Room) Routes(m *mux.Router) {
	r.jobs.Routes(m)
	r.api.Routes(m)
}

// Jobs is the background work: every node looks for jobs, their own leases keep two from working on one.
func (r *Room) Jobs() []sweep.Job {
	return []sweep.Job{{Name: "import-jobs", Every: time.Second, Everywhere: true, Run: r.jobs.Run}}
}

// MaxBody is the body limit of a request in bytes; 0 for one that isn't ours.
func MaxBody(r *http.Request) int64 {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/register/v1/licences":
		return register.MaxImport + 1
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/register/v1/licences/"):
		return 192 << 10 // a record with a picture
	case r.Method == http.MethodPost && r.URL.Path == job.Path:
		return job.MaxFile + 1
	}
	return 0
}
