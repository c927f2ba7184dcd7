// Package sealapi serves the register of seals: the API of makers and owners below /seals/v1/, and to everybody the seals' type metadata, their
// pictures and the seal makers' keys.
package sealapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// Why People.Authenticate refused; wrap them. Any other error is taken for a fault of ours.
var (
	ErrUnauthenticated   = errors.New("sealapi: no valid access token")
	ErrInsufficientScope = errors.New("sealapi: the access token lacks the scope seal")
)

// People tells which person an access token speaks for. The adapter validates the token, its audience and scope.
type People interface {
	Authenticate(ctx context.Context, bearer string) (eseal.Person, error)
}

// API serves a register of seals.
type API struct {
	seals  *eseal.Service
	people People
	page   Page
	log    *slog.Logger
}

// Page shows a seal to a browser; found is false when there is none under the id that was asked for.
type Page func(w http.ResponseWriter, r *http.Request, x eseal.Public, found bool)

// New returns the API of a register; page and log may be nil.
func New(seals *eseal.Service, people People, page Page, log *slog.Logger) *API {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &API{seals: seals, people: people, page: page, log: log}
}

// ProposalPath is where proposals are posted; with a picture they are larger than other requests, MaxProposal at most.
const (
	ProposalPath = "/seals/v1/requests"
	MaxProposal  = eseal.MaxPicture*4/3 + 16<<10
)

// Routes mounts the API and the public documents. They must come before the register's: both serve type metadata.
func (a *API) Routes(r *mux.Router) {
	a.publicRoutes(r)
	for path, methods := range map[string]map[string]func(*http.Request, eseal.Person) (any, error){
		ProposalPath:                   {http.MethodPost: a.postProposal, http.MethodGet: a.getRequests},
		ProposalPath + "/{id}":         {http.MethodGet: a.getRequest},
		ProposalPath + "/{id}/approve": {http.MethodPost: a.postApprove},
		ProposalPath + "/{id}/refuse":  {http.MethodPost: a.postRefuse},
		"/seals/v1/seals":              {http.MethodGet: a.getSeals},
		"/seals/v1/seals/{id}":         {http.MethodGet: a.getSeal},
		"/seals/v1/seals/{id}/uses":    {http.MethodGet: a.getUses},
		"/seals/v1/seals/{id}/sign":    {http.MethodPost: a.postSign},
	} {
		for method, fn := range methods {
			r.HandleFunc(path, a.person(fn)).Methods(method)
		}
	}
}

func (a *API) person(fn func(r *http.Request, p eseal.Person) (any, error)) http.HandlerFunc {
	return httpx.Answer(a.authenticate, a.problem, fn)
}

// authenticate tells who calls, by the access token.
func (a *API) authenticate(r *http.Request) (eseal.Person, error) {
	token, ok := bearer.Token(r)
	if !ok {
		return eseal.Person{}, ErrUnauthenticated
	}
	p, err := a.people.Authenticate(r.Context(), token)
	if err == nil && (p.Organisation == "" || p.ClientID == "") {
		return eseal.Person{}, ErrUnauthenticated
	}
	return p, err
}

// SealView is a seal as its owner and its maker see it.
type SealView struct {
	ID            string          `json:"id"`
	Maker         string          `json:"maker"`
	Owner         eseal.OwnerView `json:"owner"`
	Kind          string          `json:"kind"`
	KindZH        string          `json:"kind_zh"`
	Name          string          `json:"name"`
	DocumentKinds []string        `json:"document_kinds"`
	ValidFrom     string          `json:"valid_from"`
	ValidTo       string          `json:"valid_to"`
	State         eseal.State     `json:"state"`
	StateZH       string          `json:"state_zh"`
	StateSince    time.Time       `json:"state_since"`
	// Credential is the seal as SD-JWT VC; absent in lists.
	Credential string       `json:"credential,omitempty"`
	History    []ChangeView `json:"history,omitempty"`
}

// ChangeView is one row of a seal's history.
type ChangeView struct {
	Operation   string      `json:"operation"`
	From        eseal.State `json:"from,omitempty"`
	To          eseal.State `json:"to"`
	Reason      string      `json:"reason,omitempty"`
	EffectiveAt time.Time   `json:"effective_at"`
	RecordedAt  time.Time   `json:"recorded_at"`
	ProposedBy  string      `json:"proposed_by"`
	ApprovedBy  string      `json:"approved_by"`
}

// RequestView is a request as the people who can decide it see it.
type RequestView struct {
	ID         string          `json:"id"`
	Seal       string          `json:"seal"`
	Operation  string          `json:"operation"`
	Content    json.RawMessage `json:"content"`
	ProposedBy string          `json:"proposed_by"`
	ProposedAt time.Time       `json:"proposed_at"`
	ExpiresAt  time.Time       `json:"expires_at"`
	Decision   string          `json:"decision,omitempty"`
	DecidedBy  string          `json:"decided_by,omitempty"`
	DecidedAt  *time.Time      `json:"decided_at,omitempty"`
	// SealNow is the seal after an approval.
	SealNow *SealView `json:"seal_now,omitempty"`
}

// UseView is one use of a seal.
type UseView struct {
	RequestID    string    `json:"request_id"`
	SHA256       string    `json:"sha256"`
	DocumentKind string    `json:"document_kind"`
	FileName     string    `json:"file_name,omitempty"`
	By           string    `json:"by"`
	At           time.Time `json:"at"`
}

// SealedView is the answer to a request to seal.
type SealedView struct {
	Seal string  `json:"seal"`
	Use  UseView `json:"use"`
	// Repeated says that this request id was recorded before; it was not recorded again.
	Repeated bool `json:"repeated"`
	// Signature is the detached JAdES, as it belongs into a file.
	Signature string `json:"signature"`
}

// List is a list of seals. Next is the value of after for the next page; absent on the last.
type List struct {
	Seals []SealView `json:"seals"`
	Next  string     `json:"next,omitempty"`
}

func viewOf(x eseal.Seal) SealView {
	v := SealView{ID: x.ID, Maker: x.Maker, Owner: eseal.OwnerView{Code: x.Owner, Name: x.OwnerName}, Kind: x.Kind, Name: x.Name, DocumentKinds: x.DocumentKinds,
		ValidFrom: x.ValidFrom, ValidTo: x.ValidTo, State: x.State, StateZH: x.State.ZH(), StateSince: x.StateSince.UTC()}
	kind, _ := sealvc.KindNamed(x.Kind)
	v.KindZH = kind.ZH
	return v
}

func requestView(r eseal.Request) RequestView {
	v := RequestView{ID: r.ID, Seal: r.SealID, Operation: r.Operation, Content: json.RawMessage(r.Content), ProposedBy: r.ProposedBy,
		ProposedAt: r.ProposedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), Decision: r.Decision, DecidedBy: r.DecidedBy}
	if !r.DecidedAt.IsZero() {
		at := r.DecidedAt.UTC()
		v.DecidedAt = &at
	}
	return v
}

func useView(u eseal.Use) UseView {
	return UseView{RequestID: u.RequestID, SHA256: u.Digest, DocumentKind: u.DocumentKind, FileName: u.FileName, By: u.ClientID, At: u.UsedAt.UTC()}
}

// read reads a JSON body into v; what it doesn't know it refuses.
func read(r *http.Request, v any) error {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if errors.Join(jose.DecodeStrict(body, v), strict.Decode(v)) != nil {
		return fmt.Errorf("%w: the body is not the JSON that is expected here (docs/seals.md)", eseal.ErrInvalid)
	}
	return nil
}

func (a *API) postProposal(r *http.Request, p eseal.Person) (any, error) {
	var ask eseal.Proposal
	if err := read(r, &ask); err != nil {
		return nil, err
	}
	made, err := a.seals.Propose(r.Context(), p, ask)
	return requestView(made), err
}

func (a *API) getRequests(r *http.Request, p eseal.Person) (any, error) {
	all, err := a.seals.Requests(r.Context(), p)
	out := struct {
		Requests []RequestView `json:"requests"`
	}{Requests: []RequestView{}}
	for _, one := range all {
		out.Requests = append(out.Requests, requestView(one))
	}
	return out, err
}

func (a *API) getRequest(r *http.Request, p eseal.Person) (any, error) {
	found, err := a.seals.Visible(r.Context(), p, pathID(r))
	return requestView(found), err
}

func (a *API) postApprove(r *http.Request, p eseal.Person) (any, error) {
	done, x, err := a.seals.Approve(r.Context(), p, pathID(r))
	if err != nil {
		return nil, err
	}
	v, now := requestView(done), viewOf(x)
	v.SealNow = &now
	return v, nil
}

func (a *API) postRefuse(r *http.Request, p eseal.Person) (any, error) {
	done, err := a.seals.Refuse(r.Context(), p, pathID(r))
	return requestView(done), err
}

func (a *API) getSeals(r *http.Request, p eseal.Person) (any, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return nil, err
	}
	limit := 50
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("%w: limit must be 1 to 200", eseal.ErrInvalid)
		}
	}
	seals, err := a.seals.List(r.Context(), p, q.Get("after"), limit)
	if err != nil {
		return nil, err
	}
	page := List{Seals: make([]SealView, 0, len(seals))}
	for _, x := range seals {
		page.Seals = append(page.Seals, viewOf(x))
	}
	if n := len(seals); n == limit {
		page.Next = seals[n-1].ID
	}
	return page, nil
}

func (a *API) getSeal(r *http.Request, p eseal.Person) (any, error) {
	x, err := a.seals.Own(r.Context(), p, pathID(r))
	if err == nil {
		// A seal whose credential can't be made any more is shown without: its owner must know what to cancel.
		if x, err = a.seals.WithCredential(r.Context(), x); errors.Is(err, eseal.ErrNotActive) {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	changes, err := a.seals.History(r.Context(), x.ID)
	if err != nil {
		return nil, err
	}
	v := viewOf(x)
	v.Credential = x.Credential
	for _, c := range changes {
		v.History = append(v.History, ChangeView{Operation: c.Operation, From: c.From, To: c.To, Reason: c.Reason, EffectiveAt: c.EffectiveAt.UTC(),
			RecordedAt: c.RecordedAt.UTC(), ProposedBy: c.ProposedBy, ApprovedBy: c.ApprovedBy})
	}
	return v, nil
}

func (a *API) getUses(r *http.Request, p eseal.Person) (any, error) {
	uses, err := a.seals.Uses(r.Context(), p, pathID(r))
	out := struct {
		Uses []UseView `json:"uses"`
	}{Uses: []UseView{}}
	for _, u := range uses {
		out.Uses = append(out.Uses, useView(u))
	}
	return out, err
}

func (a *API) postSign(r *http.Request, p eseal.Person) (any, error) {
	var ask eseal.SignRequest
	if err := read(r, &ask); err != nil {
		return nil, err
	}
	done, err := a.seals.Sign(r.Context(), p, pathID(r), ask)
	if err != nil {
		return nil, err
	}
	return SealedView{Seal: done.Use.SealID, Use: useView(done.Use), Repeated: done.Repeated, Signature: string(done.Signature)}, nil
}

// pathID is the id of the path. The router works on the encoded path.
func pathID(r *http.Request) string {
	id, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		return ""
	}
	return id
}
