package clientfile

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/registration"
)

// Registration is `client_registration`: who may register a client by itself (RFC 7591).
type Registration struct {
	// Mode is off (the default) or token: for whoever holds an initial access token of `hufu client initial-token`.
	Mode string `yaml:"mode"`
	// Scopes that such a client may have, Profiles from which it may choose; the first profile is the default. Default core.
	Scopes   []string `yaml:"scopes"`
	Profiles []string `yaml:"profiles"`
	// StatementIssuers may vouch for software by signed statements.
	StatementIssuers []StatementIssuer `yaml:"statement_issuers"`
}

// StatementIssuer is somebody whose software statements count.
type StatementIssuer struct {
	// Issuer is the iss of the statements, JWKSFile holds the public keys that sign them.
	Issuer   string `yaml:"issuer"`
	JWKSFile string `yaml:"jwks_file"`
}

// machineScopes are for clients that somebody knows: what they allow binds a department.
var machineScopes = []string{"register", "seal"}

// Policy is the registration policy of the file.
func (c Registration) Policy() (registration.Policy, error) {
	p := registration.Policy{Scopes: c.Scopes, Profiles: c.Profiles}
	switch c.Mode {
	case "", "off":
		return p, nil
	case "token":
		p.Mode = registration.Token
	default:
		return p, fmt.Errorf("mode %q is none of off and token", c.Mode)
	}
	if len(c.Scopes) == 0 {
		return p, errors.New("scopes are needed")
	}
	for _, s := range c.Scopes {
		if slices.Contains(machineScopes, s) {
			return p, fmt.Errorf("scope %s is for clients of the configuration only", s)
		}
	}
	for _, i := range c.StatementIssuers {
		raw, err := os.ReadFile(i.JWKSFile)
		if err != nil {
			return p, err
		}
		keys, err := jose.ParseJWKS(raw)
		if err == nil && (len(keys) == 0 || i.Issuer == "") {
			err = errors.New("an issuer and a file with its public keys are needed")
		}
		if err != nil {
			return p, fmt.Errorf("statement_issuers: %q: %w", i.Issuer, err)
		}
		p.Issuers = append(p.Issuers, registration.StatementIssuer{Issuer: i.Issuer, Keys: keys})
	}
	return p, nil
}
