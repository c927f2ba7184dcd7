package registration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/web"
)

// Codes of RFC 7591 section 3.2.2.
const (
	InvalidRedirectURI          oauth.Code = "invalid_redirect_uri"
	InvalidClientMetadata       oauth.Code = "invalid_client_metadata"
	InvalidSoftwareStatement    oauth.Code = "invalid_software_statement"
	UnapprovedSoftwareStatement oauth.Code = "unapproved_software_statement"
)

// Limits of one registration: maxStored is of the row, maxName of a name, which people read.
const (
	maxStored = 16 << 10
	maxName   = 120
)

// metadata is what a client asks for, by the names of RFC 7591 section 2, OpenID Connect Registration section 2 and their extensions. A member that
// is not here is ignored, as the RFC says, and kept nowhere.
type metadata struct {
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`

	RedirectURIs           []string          `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string          `json:"post_logout_redirect_uris,omitempty"`
	ResponseTypes          []string          `json:"response_types,omitempty"`
	GrantTypes             []string          `json:"grant_types,omitempty"`
	ApplicationType        string            `json:"application_type,omitempty"`
	SubjectType            string            `json:"subject_type,omitempty"`
	AuthMethod             client.AuthMethod `json:"token_endpoint_auth_method,omitempty"`
	AuthSigningAlg         jose.Alg          `json:"token_endpoint_auth_signing_alg,omitempty"`
	Name                   string            `json:"client_name,omitempty"`
	NameZH                 string            `json:"client_name#zh,omitempty"`
	NameEN                 string            `json:"client_name#en,omitempty"`
	JWKS                   json.RawMessage   `json:"jwks,omitempty"`
	JWKSURI                string            `json:"jwks_uri,omitempty"`
	Scope                  string            `json:"scope,omitempty"`
	Profile                string            `json:"profile,omitempty"` // ours: core, national or fapi2
	DetailTypes            []string          `json:"authorization_details_types,omitempty"`
	DefaultMaxAge          *int64            `json:"default_max_age,omitempty"`
	SoftwareStatement      string            `json:"software_statement,omitempty"`
	client.Certificate
	client.Answers
	client.Requests
	client.Logout
	client.About
}

// answer is the client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
type answer struct {
	metadata
	ClientID  string `json:"client_id"`
	Secret    string `json:"client_secret,omitempty"` // once, when it was made: we keep its hash
	ExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	IssuedAt  int64  `json:"client_id_issued_at"`
	URI       string `json:"registration_client_uri"`
	Token     string `json:"registration_access_token"`
}

func answerOf(issuer string, c client.Client, token string) answer {
	a := answer{ClientID: c.ID, IssuedAt: c.RegisteredAt.Unix(), URI: issuer + Path + "/" + c.ID, Token: token}
	if c.SecretHash != "" {
		a.ExpiresAt = new(int64) // 0: it doesn't expire
	}
	a.metadata = metadata{RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, ResponseTypes: []string{"code"},
		GrantTypes: c.GrantTypes, ApplicationType: c.ApplicationType, SubjectType: "pairwise", AuthMethod: c.AuthMethod, AuthSigningAlg: c.AuthSigningAlg,
		Name: c.Name.ZH, JWKSURI: c.JWKSURI, Scope: strings.Join(c.Scopes, " "), Profile: c.Profile, DetailTypes: c.DetailTypes,
		DefaultMaxAge: c.DefaultMaxAge, Certificate: c.Certificate, Answers: c.Answers, Requests: c.Requests, Logout: c.Logout, About: c.About}
	if c.Name.EN != c.Name.ZH {
		a.NameZH, a.NameEN = c.Name.ZH, c.Name.EN
	}
	if len(c.JWKS) > 0 {
		a.JWKS, _ = jose.MarshalJWKS(c.JWKS) // they were parsed
	}
	return a
}

// invalid refuses metadata. The text is ours, or of client.Check.
func invalid(description string) error {
	return &oauth.Error{Code: InvalidClientMetadata, Description: ascii(description)}
}

// ascii keeps a description within what RFC 6749 section 5.2 allows; it may quote what was sent.
func ascii(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}

func (h *Handler) read(r *http.Request) (metadata, error) {
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "application/json" {
		return metadata{}, &oauth.Error{Code: InvalidClientMetadata, Description: "the body must be application/json", Status: http.StatusUnsupportedMediaType}
	}
	body, err := httpx.ReadBody(r)
	if err != nil {
		return metadata{}, oauth.FromForm(err)
	}
	m, err := parse(body)
	if err != nil {
		return metadata{}, err
	}
	return m, h.applyStatement(&m)
}

// parse reads metadata as sent. Types must fit; nothing else is judged here.
func parse(body []byte) (metadata, error) {
	var m *metadata
	err := strictjson.Decode(body, &m)
	if err == nil && m == nil {
		err = errors.New("null")
	}
	if err != nil {
		return metadata{}, &oauth.Error{Code: InvalidClientMetadata, Description: "not a JSON object whose members have the types of RFC 7591", Cause: err}
	}
	return *m, nil
}

// build turns metadata into a whole registration and judges it. c brings the id, the secret and how it came to be known. It returns the client secret, if
// a new one was made, and a new registration access token.
func (h *Handler) build(ctx context.Context, c client.Client, m metadata) (_ client.Client, secret, token string, err error) {
	if err := m.supported(); err != nil {
		return c, "", "", err
	}
	m.setDefaults(h.cfg.Policy)
	c.RedirectURIs, c.PostLogoutRedirectURIs, c.GrantTypes = m.RedirectURIs, m.PostLogoutRedirectURIs, m.GrantTypes
	c.AuthMethod, c.AuthSigningAlg, c.Public = m.AuthMethod, m.AuthSigningAlg, m.AuthMethod == client.None
	c.JWKSURI, c.Profile, c.Scopes, c.DetailTypes = m.JWKSURI, m.Profile, strings.Fields(m.Scope), m.DetailTypes
	c.DefaultMaxAge, c.ApplicationType = m.DefaultMaxAge, m.ApplicationType
	c.Certificate, c.Answers, c.Requests, c.Logout, c.About = m.Certificate, m.Answers, m.Requests, m.Logout, m.About
	if m.SoftwareStatement != "" {
		c.StatementIssuer = statementIssuer(m.SoftwareStatement)
	}
	if c.Name, err = m.name(c.ID); err != nil {
		return c, "", "", err
	}
	if c.JWKS, err = m.keys(); err != nil {
		return c, "", "", err
	}
	switch c.AuthMethod {
	case client.SecretBasic, client.SecretPost:
		if c.SecretHash == "" {
			secret = NewSecret()
			c.SecretHash = client.HashSecret(secret)
		}
	default:
		c.SecretHash, c.PreviousSecretHash = "", ""
	}
	token = NewSecret()
	c.TokenHash = client.HashSecret(token)
	if err := h.judge(ctx, c); err != nil {
		return c, "", "", err
	}
	return c, secret, token, nil
}

// supported refuses what no client of ours can be.
func (m metadata) supported() error {
	for _, t := range m.ResponseTypes {
		if t != "code" {
			return invalid("response_types: only code")
		}
	}
	if m.SubjectType != "" && m.SubjectType != "pairwise" {
		return invalid("subject_type: only pairwise")
	}
	if m.ApplicationType != "" && m.ApplicationType != "web" && m.ApplicationType != "native" {
		return invalid("application_type: web or native")
	}
	return nil
}

// setDefaults fills in what was left out: RFC 7591 section 2, OpenID Connect Registration section 2.
func (m *metadata) setDefaults(p Policy) {
	if m.AuthMethod == "" {
		m.AuthMethod = client.SecretBasic
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{client.AuthorizationCode}
	}
	if m.ApplicationType == "" {
		m.ApplicationType = "web"
	}
	if m.Scope == "" {
		m.Scope = strings.Join(p.Scopes, " ")
	}
	if m.Profile == "" {
		m.Profile = p.profiles()[0]
	}
	if m.IDTokenSignedAlg == "" && slices.Contains(client.Client{Profile: m.Profile}.Policy().IDTokenAlgs, jose.RS256) {
		m.IDTokenSignedAlg = jose.RS256
	}
}

func (p Policy) profiles() []string {
	if len(p.Profiles) == 0 {
		return []string{"core"}
	}
	return p.Profiles
}

// name is what people will read. The address stands in for a name: nobody is nobody.
func (m metadata) name(id string) (web.Text, error) {
	t := web.Text{ZH: m.NameZH, EN: m.NameEN}
	for _, side := range []*string{&t.ZH, &t.EN} {
		if *side == "" {
			*side = m.Name
		}
		if *side == "" {
			*side = id
			if len(m.RedirectURIs) > 0 {
				if u, err := url.Parse(m.RedirectURIs[0]); err == nil && u.Host != "" {
					*side = u.Host
				}
			}
		}
		// Marks that turn the direction of writing could make a name read as another.
		if len([]rune(*side)) > maxName || strings.ContainsFunc(*side, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			return t, invalid(fmt.Sprintf("client_name: at most %d characters, all of them visible", maxName))
		}
	}
	return t, nil
}

// keys reads jwks. Every key must be good: who registers is there to hear of it.
func (m metadata) keys() ([]jose.JWK, error) {
	if len(m.JWKS) == 0 || string(m.JWKS) == "null" {
		return nil, nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := strictjson.Decode(m.JWKS, &set); err != nil || len(set.Keys) == 0 || len(set.Keys) > jose.MaxKeySetKeys {
		return nil, invalid(fmt.Sprintf("jwks: a key set of 1 to %d keys", jose.MaxKeySetKeys))
	}
	for i, raw := range set.Keys {
		if _, err := jose.ParseJWK(raw); err != nil {
			return nil, invalid(fmt.Sprintf("jwks: key %d: %v", i, err))
		}
	}
	keys, err := jose.ParseJWKS(m.JWKS)
	if err != nil {
		return nil, invalid(fmt.Sprintf("jwks: %v", err))
	}
	return keys, nil
}

// judge applies the policy and every rule of a registration to the whole new state.
func (h *Handler) judge(ctx context.Context, c client.Client) error {
	p := h.cfg.Policy
	for _, g := range c.GrantTypes {
		if g != client.AuthorizationCode && g != client.RefreshToken {
			return invalid("grant_types: only authorization_code and refresh_token")
		}
	}
	for _, s := range c.Scopes {
		if !slices.Contains(p.Scopes, s) {
			return invalid("scope: only " + strings.Join(p.Scopes, " "))
		}
	}
	if !slices.Contains(p.profiles(), c.Profile) {
		return invalid("profile: only " + strings.Join(p.profiles(), ", "))
	}
	if err := c.Check(); err != nil {
		_, text, _ := strings.Cut(err.Error(), c.ID+": ")
		code := InvalidClientMetadata
		if errors.Is(err, client.ErrRedirect) {
			code = InvalidRedirectURI
		}
		return &oauth.Error{Code: code, Description: ascii(text)}
	}
	stored, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	if len(stored) > maxStored {
		return invalid(fmt.Sprintf("all together more than %d bytes", maxStored))
	}
	return h.checkSector(ctx, c)
}

// checkSector reads sector_identifier_uri (OpenID Connect Registration section 5): the sector must know every redirect URI, or anybody could join it and
// learn under which subjects it knows people.
func (h *Handler) checkSector(ctx context.Context, c client.Client) error {
	if c.SectorIdentifierURI == "" {
		return nil
	}
	if h.cfg.HTTP == nil {
		return invalid("sector_identifier_uri can't be fetched")
	}
	resp, err := h.cfg.HTTP.Get(ctx, c.SectorIdentifierURI)
	if err != nil {
		return &oauth.Error{Code: InvalidClientMetadata, Description: "sector_identifier_uri can't be fetched", Cause: err}
	}
	var listed []string
	if err := strictjson.Decode(resp.Body, &listed); err != nil {
		return &oauth.Error{Code: InvalidClientMetadata, Description: "sector_identifier_uri is not a JSON array of redirect URIs", Cause: err}
	}
	for _, uri := range c.RedirectURIs {
		if !slices.Contains(listed, uri) {
			return invalid("sector_identifier_uri does not list every redirect URI")
		}
	}
	return nil
}
