package job

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register"
)

// Paths of the API.
const (
	Path     = "/register/v1/jobs"
	KeysPath = "/register/v1/report-keys"
)

// Routes mounts the API of jobs.
func (s *Service) Routes(r *mux.Router) {
	answer := func(fn func(r *http.Request, d register.Department) (any, error)) http.HandlerFunc {
		return httpx.Answer(s.authenticate, s.problem, fn)
	}
	r.HandleFunc(Path, s.create).Methods(http.MethodPost)
	r.HandleFunc(Path, answer(s.list)).Methods(http.MethodGet)
	r.HandleFunc(Path+"/{id}", answer(s.get)).Methods(http.MethodGet)
	r.HandleFunc(Path+"/{id}", answer(s.change)).Methods(http.MethodPatch)
	r.HandleFunc(Path+"/{id}/report", s.lines).Methods(http.MethodGet)
	r.HandleFunc(Path+"/{id}/report.jws", s.signed).Methods(http.MethodGet)
	r.HandleFunc(KeysPath, s.keys).Methods(http.MethodGet)
}

var bearer = httpx.Bearer{Realm: "register", Scope: "register"}

func (s *Service) authenticate(r *http.Request) (register.Department, error) {
	token, ok := bearer.Token(r)
	if !ok || s.cfg.Departments == nil {
		return register.Department{}, register.ErrUnauthenticated
	}
	d, err := s.cfg.Departments.Authenticate(r.Context(), token)
	if err == nil && d.Code == "" {
		return register.Department{}, register.ErrUnauthenticated
	}
	return d, err
}

// View is a job as its department sees it.
type View struct {
	ID        string `json:"id"`
	State     State  `json:"state"`
	SHA256    string `json:"sha256,omitempty"`
	Format    string `json:"format"`
	Type      string `json:"type,omitempty"`
	Bytes     int64  `json:"bytes"`
	Records   int64  `json:"records"`
	Done      int64  `json:"done"`
	Created   int64  `json:"created"`
	Unchanged int64  `json:"unchanged"`
	Refused   int64  `json:"refused"`
	// Rate is the most records in a second; 0 is as fast as it goes.
	Rate int64 `json:"rate"`
	// Signed: the signed report can be fetched.
	Signed     bool      `json:"signed"`
	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

func view(j Job) View {
	return View{ID: j.ID, State: j.State, SHA256: j.SHA256, Format: j.Format, Type: j.TypeID, Bytes: j.Size, Records: j.Records, Done: j.Created + j.Unchanged + j.Refused,
		Created: j.Created, Unchanged: j.Unchanged, Refused: j.Refused, Rate: j.Rate, Signed: j.JWS != "", CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt}
}

// create takes a file in. Its answer may take as long as the file does: the deadlines move on while something arrives.
func (s *Service) create(w http.ResponseWriter, r *http.Request) {
	d, err := s.authenticate(r)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	u, err := upload(r)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	u.Body = &patient{body: http.MaxBytesReader(w, r.Body, MaxFile), rc: http.NewResponseController(w)}
	j, fresh, err := s.Create(r.Context(), d, u)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Location", Path+"/"+j.ID)
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	httpx.WriteJSON(w, status, view(j))
}

// upload reads what the request says about the file.
func upload(r *http.Request) (Upload, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return Upload{}, err
	}
	u := Upload{TypeID: q.Get("type")}
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	u.Format = map[string]string{"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}[media]
	if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") {
		return u, invalid("the file must be UTF-8")
	}
	if text := q.Get("rate"); text != "" {
		if u.Rate, err = strconv.ParseInt(text, 10, 64); err != nil {
			return u, invalid("rate must be a number of records in a second")
		}
	}
	// RFC 9530: sha-256=:base64:
	if digest := r.Header.Get("Content-Digest"); digest != "" {
		text, ok := strings.CutPrefix(digest, "sha-256=:")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, ":"))
		if !ok || err != nil {
			return u, invalid("Content-Digest must be sha-256=:base64:")
		}
		u.SHA256 = hex.EncodeToString(raw)
	}
	return u, nil
}

// errBroken is an upload whose sender went away.
var errBroken = errors.New("job: the upload broke off")

// patient reads a body for as long as something arrives.
type patient struct {
	body interface{ Read(p []byte) (int, error) }
	rc   *http.ResponseController
	read int
}

func (p *patient) Read(b []byte) (int, error) {
	if p.read == 0 {
		// A writer without deadlines, as in tests, is fine too.
		_ = p.rc.SetReadDeadline(time.Now().Add(30 * time.Second))
		_ = p.rc.SetWriteDeadline(time.Now().Add(90 * time.Second))
	}
	n, err := p.body.Read(b)
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &tooLarge) {
		err = fmt.Errorf("%w: %w", errBroken, err)
	}
	if p.read += n; p.read > 1<<20 {
		p.read = 0
	}
	return n, err
}

func (s *Service) list(r *http.Request, d register.Department) (any, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return nil, err
	}
	page := struct {
		Jobs []View `json:"jobs"`
	}{Jobs: []View{}}
	if sum := q.Get("sha256"); sum != "" {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 {
			return nil, invalid("sha256 must be a hash in hex")
		}
		j, err := s.cfg.Store.ByFile(r.Context(), d.Code, strings.ToLower(sum))
		if errors.Is(err, ErrNotFound) {
			return page, nil
		}
		page.Jobs = append(page.Jobs, view(j))
		return page, err
	}
	jobs, err := s.cfg.Store.List(r.Context(), d.Code, 50)
	for _, j := range jobs {
		page.Jobs = append(page.Jobs, view(j))
	}
	return page, err
}

// find returns a job of the department; another one's is ErrNotFound, as if there were none.
func (s *Service) find(r *http.Request, d register.Department) (Job, error) {
	id := mux.Vars(r)["id"]
	if id == "" || len(id) > 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return Job{}, ErrNotFound
	}
	return s.cfg.Store.Get(r.Context(), d.Code, id)
}

func (s *Service) get(r *http.Request, d register.Department) (any, error) {
	j, err := s.find(r, d)
	return view(j), err
}

// Change asks for another state or rate of a job.
type Change struct {
	// State is "running", "paused" or "cancelled"; empty leaves it.
	State State `json:"state,omitempty"`
	// Rate is the most records in a second, 0 as fast as it goes; nil leaves it.
	Rate *int64 `json:"rate,omitempty"`
}

func (s *Service) change(r *http.Request, d register.Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	var c Change
	if err := jose.DecodeStrict(body, &c); err != nil || c.State == "" && c.Rate == nil {
		return nil, invalid(`the body must be {"state": "running", "paused" or "cancelled", "rate": records in a second}, one or both`)
	}
	for range 20 { // each step of the job moves what we looked at
		j, err := s.find(r, d)
		if err != nil {
			return nil, err
		}
		if j, err = s.Change(r.Context(), j, c); !errors.Is(err, ErrLost) {
			return view(j), err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, ErrLost
}

// Change pauses, continues or cancels a job, or sets its rate. What was registered stays registered. ErrLost if the job moved meanwhile.
func (s *Service) Change(ctx context.Context, j Job, c Change) (Job, error) {
	if c.Rate != nil {
		if *c.Rate < 0 || *c.Rate > maxRate {
			return j, invalid("rate must be 0 to " + strconv.Itoa(maxRate) + " records in a second")
		}
		j.Rate = *c.Rate
	}
	from := []State{j.State}
	switch c.State {
	case "":
	case Cancelled:
		if j.State == Done || j.State == Cancelled {
			return j, ErrState
		}
		return s.end(ctx, j, Cancelled, j.State)
	case Running, Paused:
		from, j.State = []State{Running, Paused}, c.State
	default:
		return j, invalid("state must be running, paused or cancelled")
	}
	if !contains(from, Running) && !contains(from, Paused) {
		return j, ErrState
	}
	j.UpdatedAt = s.cfg.Now()
	err := s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Set(ctx, j, from...); err != nil {
			return err
		}
		return s.event(ctx, j, "register.job_changed", map[string]string{"state": string(j.State), "rate": strconv.FormatInt(j.Rate, 10)})
	})
	return j, err
}

func contains(list []State, s State) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// lines streams the report as JSON Lines, as far as it goes.
func (s *Service) lines(w http.ResponseWriter, r *http.Request) {
	d, err := s.authenticate(r)
	var j Job
	if err == nil {
		j, err = s.find(r, d)
	}
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	for seq := int64(0); seq < j.Steps; {
		parts, err := s.cfg.Store.Report(r.Context(), j.ID, seq, 40)
		for i, sealed := range parts {
			var text []byte
			if err == nil {
				text, err = s.open(reportPurpose(j.ID, seq+int64(i)), sealed)
			}
			if err == nil {
				_ = rc.SetWriteDeadline(time.Now().Add(60 * time.Second))
				_, err = w.Write(text)
			}
		}
		if err != nil || len(parts) == 0 {
			s.cfg.Log.ErrorContext(r.Context(), "report of a job", "job", j.ID, "error", err)
			panic(http.ErrAbortHandler) // a report that only seems whole would be worse than none
		}
		seq += int64(len(parts))
	}
}

func (s *Service) signed(w http.ResponseWriter, r *http.Request) {
	d, err := s.authenticate(r)
	var j Job
	if err == nil {
		j, err = s.find(r, d)
	}
	if err == nil && j.JWS == "" {
		err = ErrState
	}
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/"+ReportType)
	_, _ = w.Write([]byte(j.JWS))
}

// keys are the public keys of reports, for whoever was handed one.
func (s *Service) keys(w http.ResponseWriter, r *http.Request) {
	keys, err := s.cfg.Keys(r.Context())
	if err != nil {
		s.problem(w, r, err)
		return
	}
	raw, err := jose.MarshalJWKS(keys)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(raw)
}

// badRequest is ErrInvalid with words.
type badRequest struct{ text string }

func (e *badRequest) Error() string        { return e.text }
func (e *badRequest) Is(target error) bool { return target == ErrInvalid }

func invalid(text string) error { return &badRequest{text} }

func (s *Service) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.TraceID = httpx.Trace(r)
	if p.Status >= 500 {
		s.cfg.Log.ErrorContext(r.Context(), "jobs", "trace", p.TraceID, "path", r.URL.Path, "error", err)
	}
	bearer.Refuse(w, r, p.Status, p.Code, p)
}

func problemOf(err error) httpx.Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		return httpx.Problem{Status: 401, Code: "unauthenticated", Title: "A valid access token is needed"}
	case errors.Is(err, register.ErrInsufficientScope):
		return httpx.Problem{Status: 403, Code: "insufficient_scope", Title: "The access token lacks the scope register"}
	case errors.Is(err, ErrNotFound):
		return httpx.Problem{Status: 404, Code: "job_not_found", Title: "This authority has no such job"}
	case errors.Is(err, ErrState):
		return httpx.Problem{Status: 409, Code: "job_state", Title: "The job's state doesn't allow this"}
	case errors.Is(err, ErrLost):
		return httpx.Problem{Status: 409, Code: "changed_meanwhile", Title: "Somebody else changed the job or sent its file at the same time", Detail: "Look at the job again."}
	case errors.As(err, &tooLarge), errors.Is(err, httpx.ErrTooLarge):
		return httpx.Problem{Status: 413, Code: "too_large", Title: "The file is too large", Detail: "Send it in parts of at most 4 GiB."}
	case errors.Is(err, ErrInvalid):
		return httpx.Problem{Status: 400, Code: "invalid_request", Title: "The file or request can't be taken", Detail: strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")}
	case errors.Is(err, errBroken):
		return httpx.Problem{Status: 400, Code: "upload_broken", Title: "The upload broke off", Detail: "Send the file again: it will be the same job."}
	case errors.Is(err, httpx.ErrMalformed), errors.Is(err, httpx.ErrDuplicateParameter):
		return httpx.Problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}
	}
	return httpx.Problem{Status: 500, Code: "server_error", Title: "Something failed here"}
}
