// Package provinces opens the connectors to the provinces of a configuration.
package provinces

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
)

// Config is a province that joined by OpenID Connect.
type Config struct {
	// Code is the six digits of GB/T 2260, such as "440000".
	Code string `yaml:"code"`
	// Issuer is the province's issuer identifier, exactly as its discovery document says.
	Issuer string `yaml:"issuer"`
	// ClientID is ours at the province.
	ClientID string `yaml:"client_id"`
	// Ceiling is the highest level it was admitted for: loa1 to loa4.
	Ceiling string `yaml:"ceiling"`
	// Levels maps the province's acr values to ours. A value that isn't listed is loa1.
	Levels map[string]string `yaml:"levels"`
	// Profile is how strict the exchange is: core (default), or fapi2 for PAR, DPoP and what else FAPI 2.0 asks for.
	Profile string `yaml:"profile"`
	// AuthMethod is how we authenticate: private_key_jwt (default), client_secret_basic, client_secret_post, tls_client_auth or
	// self_signed_tls_client_auth.
	AuthMethod string `yaml:"auth_method"`
	// Binding is what the province binds access tokens to: dpop (default with fapi2) or mtls, our certificate.
	Binding string `yaml:"binding"`
	// CertificateFile and KeyFile (PEM) are our client certificate towards it, for tls_client_auth and mtls.
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
	// SecretFile holds the secret that the province gave us, for the two methods that need one.
	SecretFile string `yaml:"secret_file"`
	// Algs are those that its id_tokens may be signed by. Default ES256, ES384, PS256, RS256 and EdDSA; with fapi2 ES256, PS256 and EdDSA.
	Algs []jose.Alg `yaml:"algs"`
	// SignedUserinfo refuses userinfo that the province didn't sign.
	SignedUserinfo bool `yaml:"signed_userinfo"`
	// AllowMissingIss is for an old province that can't send iss in its response (RFC 9207).
	AllowMissingIss bool `yaml:"allow_missing_iss"`
	// AllowAudienceList is for one that writes aud as a list of one.
	AllowAudienceList bool `yaml:"allow_audience_list"`
	// AllowUnlistedPKCE is for one that doesn't say whether it knows PKCE.
	AllowUnlistedPKCE bool `yaml:"allow_unlisted_pkce"`
	// ForeignOrigins are further origins on which its endpoints may lie.
	ForeignOrigins []string `yaml:"foreign_origins"`
}

// Check tells bad what is wrong with the entry. It reads the files.
func (c Config) Check(origin string, bad func(format string, args ...any)) {
	if _, err := upstream.ParseLevel(c.Ceiling); err != nil {
		bad("provinces: %s: ceiling %q is none of loa1 to loa4", c.Code, c.Ceiling)
	}
	made, err := c.connector(origin)
	if err != nil {
		bad("provinces: %s: %v", c.Code, err)
	} else if err := made.Check(); err != nil {
		bad("provinces: %v", err)
	} else if _, err := c.certificate(made.Mutual()); err != nil {
		bad("provinces: %s: %v", c.Code, err)
	}
}

// connector is the connector's configuration without what only a running node has.
func (c Config) connector(origin string) (oidc.Config, error) {
	out := oidc.Config{Profile: oidc.Profile(c.Profile), Province: c.Code, Issuer: c.Issuer, ClientID: c.ClientID,
		RedirectURI: federation.CallbackURL(origin, province.Code(c.Code)), AuthMethod: oidc.AuthMethod(c.AuthMethod), Binding: oidc.Binding(c.Binding),
		Algs: c.Algs, Levels: map[string]upstream.Level{}, ForeignOrigins: c.ForeignOrigins, AllowMissingIssParam: c.AllowMissingIss,
		AllowAudienceList: c.AllowAudienceList, AllowUnlistedPKCE: c.AllowUnlistedPKCE, SignedUserinfo: c.SignedUserinfo}
	for word, text := range c.Levels {
		level, err := upstream.ParseLevel(text)
		if err != nil {
			return out, fmt.Errorf("levels: %s: %q is none of loa1 to loa4", word, text)
		}
		out.Levels[word] = level
	}
	if c.SecretFile != "" {
		raw, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return out, fmt.Errorf("secret_file: %w", err)
		}
		if out.Secret = strings.TrimSpace(string(raw)); out.Secret == "" {
			return out, errors.New("secret_file: it is empty")
		}
	}
	return out, nil
}

// certificate reads our client certificate; needed says whether there must be one.
func (c Config) certificate(needed bool) (tls.Certificate, error) {
	if given := c.CertificateFile != "" && c.KeyFile != ""; !needed || !given {
		if needed || c.CertificateFile != "" || c.KeyFile != "" {
			return tls.Certificate{}, errors.New("certificate_file and key_file belong to tls_client_auth, self_signed_tls_client_auth and mtls")
		}
		return tls.Certificate{}, nil
	}
	return tls.LoadX509KeyPair(c.CertificateFile, c.KeyFile)
}

// Ports are what connectors need of a node.
type Ports struct {
	Origin    string
	AllowHTTP bool
	HTTP      oidc.HTTP
	Certified func(tls.Certificate) oidc.HTTP // HTTP with a client certificate
	Signer    func(ctx context.Context, p keys.Purpose) (jose.SigningKey, error)
	JWKS      func(ctx context.Context, p keys.Purpose) ([]jose.JWK, error)
}

// Members opens a connector for every province that joined.
func Members(joined []Config, ports Ports) (out []federation.Member, err error) {
	for _, c := range joined {
		m, err := c.member(ports)
		if err != nil {
			return nil, fmt.Errorf("province %s: %w", c.Code, err)
		}
		out = append(out, m)
	}
	return out, nil
}

func (c Config) member(ports Ports) (m federation.Member, err error) {
	purpose := keys.Province(c.Code)
	cfg, err := c.connector(ports.Origin)
	if err != nil {
		return m, err
	}
	cfg.AllowHTTP, cfg.HTTP = ports.AllowHTTP, ports.HTTP
	cfg.Signer = func(ctx context.Context) (jose.SigningKey, error) { return ports.Signer(ctx, purpose) }
	if cfg.Mutual() {
		cert, err := c.certificate(true)
		if err != nil {
			return m, err
		}
		cfg.Certified = ports.Certified(cert)
	}
	m.Code = province.Code(c.Code)
	m.Keys = func(ctx context.Context) ([]jose.JWK, error) { return ports.JWKS(ctx, purpose) }
	if m.Ceiling, err = upstream.ParseLevel(c.Ceiling); err != nil {
		return m, err
	}
	m.Connector, err = oidc.New(cfg)
	return m, err
}
