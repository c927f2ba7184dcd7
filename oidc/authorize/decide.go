package authorize

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/trail"
)

// step is what comes next in a flow.
type step int

const (
	stepLogin step = iota
	stepConsent
	stepLevel
	stepRefuse
	stepDone
)

// decision is the dispatcher's answer, with what the step needs.
type decision struct {
	step    step
	session session.Session
	person  claim.Person
	subject string
	asked   []string // what the client would receive
	last    Consent  // zero when the person never agreed
	agreed  []string // stepDone
	refusal *oauth.Error
}

// clockLeeway is how far a province's clock may be behind ours when it says when the person proved herself.
const clockLeeway = time.Minute

// decide answers what comes next for the browser that sent r.
func (h *Handler) decide(ctx context.Context, r *http.Request, c client.Client, s flow.State) (decision, error) {
	sess, err := h.cfg.Sessions.In(ctx, r)
	if errors.Is(err, session.ErrNone) {
		return needLogin(s), nil
	}
	if err != nil {
		return decision{}, err
	}
	return h.decideFor(ctx, c, s, sess)
}

// decideFor is decide for a known session.
func (h *Handler) decideFor(ctx context.Context, c client.Client, s flow.State, sess session.Session) (decision, error) {
	d := decision{session: sess, subject: h.cfg.Pairwise.Subject(c.Sector(), sess.PersonID)}
	fresh := s.Login != "" && s.Login == sess.Key // the person logged in during this very flow
	var err error
	if d.person, err = h.cfg.Persons.Claims(ctx, sess.PersonID); errors.Is(err, claim.ErrNoPerson) {
		if fresh {
			return refusal(d, oauth.AccessDenied, "the person may not log in"), nil
		}
		return needLogin(s), nil
	} else if err != nil {
		return decision{}, err
	}
	switch {
	case !fresh && (s.Asks("login") || s.Asks("select_account")), !h.recent(s, sess, fresh):
		if fresh {
			return refusal(d, oauth.LoginRequired, "the province did not prove the person anew"), nil
		}
		return needLogin(s), nil
	case s.HintSubject != "" && s.HintSubject != d.subject:
		if fresh {
			return refusal(d, oauth.LoginRequired, "another person logged in than id_token_hint names"), nil
		}
		return needLogin(s), nil
	case sess.ACR < s.RequiredACR:
		if fresh && !s.Asks("none") {
			d.step = stepLevel
			return d, nil
		}
		return needLogin(s), nil
	}
	return h.decideConsent(ctx, c, s, d)
}

// recent applies max_age, and prompt=login to a login that was made for it: a province may have answered from an old session of its own.
func (h *Handler) recent(s flow.State, sess session.Session, fresh bool) bool {
	since := sess.AuthTime
	if fresh {
		since = since.Add(clockLeeway)
		if (s.Asks("login") || s.MaxAge != nil) && !since.Before(s.CreatedAt) {
			return true
		}
		if s.Asks("login") {
			return false
		}
	}
	return s.MaxAge == nil || h.cfg.Now().Before(since.Add(time.Duration(*s.MaxAge)*time.Second))
}

// decideConsent compares what is asked with what was agreed.
func (h *Handler) decideConsent(ctx context.Context, c client.Client, s flow.State, d decision) (decision, error) {
	d.asked = h.asked(s, d.person)
	last, err := h.cfg.Store.Consent(ctx, d.session.PersonID, c.ID)
	if err != nil && !errors.Is(err, ErrNoConsent) {
		return decision{}, err
	}
	d.last = last
	if err == nil && last.Standing && !c.Impersonable(s.RedirectURI) && !s.Asks("consent") && subset(d.asked, last.Asked) {
		d.step = stepDone
		d.agreed = intersect(d.asked, last.Agreed)
		return d, nil
	}
	if s.Asks("none") {
		return refusal(d, oauth.ConsentRequired, "the person has not agreed to this yet"), nil
	}
	d.step = stepConsent
	return d, nil
}

// Marks of the things agreed to that are no claims: a credential or offline_access, and an element of authorization_details by its hash.
const (
	scopeItem  = "scope:"
	detailItem = "detail:"
)

// detailKey names an element of authorization_details: an agreement covers exactly what was shown.
func detailKey(raw []byte) string {
	sum := sha256.Sum256(raw)
	return detailItem + base64.RawURLEncoding.EncodeToString(sum[:])
}

// asked lists what the client would receive: claims of the person that have the value asked for, credentials, details.
func (h *Handler) asked(s flow.State, person claim.Person) []string {
	var out []string
	byScope := claim.Of(s.Scopes)
	for _, name := range claim.All() {
		if !slices.Contains(byScope, name) && !slices.Contains(s.UserinfoClaims, name) && !slices.Contains(s.IDTokenClaims, name) {
			continue
		}
		value := person.Value(name)
		if wanted, limited := s.ClaimValues[name]; value != "" && (!limited || slices.Contains(wanted, value)) {
			out = append(out, name)
		}
	}
	for _, scope := range s.Scopes {
		if _, _, ok := h.credential(scope); ok || scope == claim.OfflineAccess {
			out = append(out, scopeItem+scope)
		}
	}
	for _, raw := range s.Details {
		out = append(out, detailKey(raw))
	}
	return out
}

func needLogin(s flow.State) decision {
	if s.Asks("none") {
		return refusal(decision{}, oauth.LoginRequired, "nobody is logged in who meets the request")
	}
	return decision{step: stepLogin}
}

func refusal(d decision, code oauth.Code, text string) decision {
	d.step, d.refusal = stepRefuse, oauth.New(code, text)
	return d
}

func subset(small, large []string) bool {
	return !slices.ContainsFunc(small, func(s string) bool { return !slices.Contains(large, s) })
}

func intersect(a, b []string) []string {
	var out []string
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// issue writes the grant with its code, in the transaction of ctx, and returns what the client is told.
// A *request.ClientError refuses before anything was written.
func (h *Handler) issue(ctx context.Context, c client.Client, s flow.State, d decision) (url.Values, error) {
	details, err := h.details(ctx, c, s, d)
	if err != nil {
		return nil, err
	}
	if err := h.takePart(ctx, c, d); err != nil {
		return nil, err
	}
	now := h.cfg.Now()
	if err := h.useUp(ctx, s.Request, now); err != nil {
		return nil, err
	}
	g := grant.Grant{
		ID: newID(), Type: client.AuthorizationCode, ClientID: c.ID, PersonID: d.session.PersonID, Subject: d.subject,
		ACR: d.session.ACR, AMR: d.session.AMR, AuthTime: d.session.AuthTime, Province: d.session.Province, Nonce: s.Nonce, IssuerState: s.IssuerState,
		Session: d.session.SID, SessionEnds: d.session.ExpiresAt,
		CodeState: grant.Issued, CodeExpires: now.Add(CodeLife), RedirectURI: s.RedirectURI, Challenge: s.Challenge, JKT: s.JKT, Instance: s.Instance, CreatedAt: now,
		Resources: s.Resources, Details: details,
	}
	if c.HearsOfLogouts() {
		g.SessionID = h.cfg.Pairwise.SessionID(c.ID, d.session.SID)
	}
	h.allow(&g, s, d)
	code, signature, err := h.cfg.Engine.IssueCode(ctx, g)
	if err != nil {
		return nil, err
	}
	g.CodeSignature = signature
	trail.Tie(ctx, "grant", g.ID)
	err = h.cfg.Store.PutGrant(ctx, g, audit.Event{Kind: "oidc.code_issued", Actor: g.PersonID, Subject: g.ID, Client: c.ID,
		Detail: map[string]string{"acr": g.ACR}})
	if err != nil {
		return nil, err
	}
	return url.Values{"code": {code}}, nil
}

// details are the elements of authorization_details that were agreed; those for credentials say which she may get. Nothing but credentials that
// she hasn't got is a refusal: a token for nothing would only tell the wallet later.
func (h *Handler) details(ctx context.Context, c client.Client, s flow.State, d decision) ([]json.RawMessage, error) {
	var agreed []json.RawMessage
	for _, raw := range s.Details {
		if slices.Contains(d.agreed, detailKey(raw)) {
			agreed = append(agreed, raw)
		}
	}
	granted, err := credential.Grant(ctx, h.cfg.Credentials, credential.Holder{PersonID: d.session.PersonID, ACR: d.session.ACR, IssuerState: s.IssuerState}, agreed)
	if err == nil && len(agreed) > 0 && len(granted) == 0 && len(s.Scopes) == 0 {
		err = tell(c, s, oauth.New(oauth.AccessDenied, "the person has no such credential"))
	}
	return granted, err
}

// allow writes into the grant what was asked and agreed.
func (h *Handler) allow(g *grant.Grant, s flow.State, d decision) {
	audience := func(list ...string) {
		for _, a := range list {
			if !slices.Contains(g.Audience, a) {
				g.Audience = append(g.Audience, a)
			}
		}
	}
	for _, scope := range s.Scopes {
		issuers, _, credential := h.credential(scope)
		switch {
		case (credential || scope == claim.OfflineAccess) && !slices.Contains(d.agreed, scopeItem+scope):
			continue
		case scope == claim.OfflineAccess:
			g.Offline = true
		case scope == claim.OpenID:
			issuers = []string{h.cfg.Issuer}
		}
		g.Scopes = append(g.Scopes, scope)
		audience(issuers...)
	}
	audience(s.Resources...)
	audience(credential.Audience(g.Details, h.cfg.Credentials)...)
	byScope := claim.Of(s.Scopes)
	for _, name := range claim.All() {
		if !slices.Contains(d.agreed, name) {
			continue
		}
		if slices.Contains(byScope, name) || slices.Contains(s.UserinfoClaims, name) {
			g.Claims = append(g.Claims, name)
		}
		if slices.Contains(s.IDTokenClaims, name) {
			g.IDTokenClaims = append(g.IDTokenClaims, name)
		}
	}
	if len(g.Audience) == 0 {
		g.Audience = []string{h.cfg.Issuer} // a token is always for somebody
	}
}

// takePart says that the session is used for the client. Only who can be told of a logout is remembered: a login writes no more than it must.
func (h *Handler) takePart(ctx context.Context, c client.Client, d decision) error {
	err := h.cfg.Sessions.Use(ctx, d.session)
	if err != nil || c.BackchannelLogoutURI == "" {
		return err
	}
	return h.cfg.Sessions.Join(ctx, d.session, session.Member{ClientID: c.ID, Subject: d.subject})
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}
