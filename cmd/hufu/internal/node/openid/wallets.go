package openid

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/attestation"
)

// WalletProvider vouches for wallets whose clients name it as wallet_provider (attest_jwt_client_auth). Its files are read again every minute, so
// that an anchor is added or taken away without a restart.
type WalletProvider struct {
	Name string `yaml:"name"`
	// Profile is the form of the specification: haip-1.0 (draft 07, the default) or current (draft 11).
	Profile string `yaml:"profile"`
	// Issuer is the iss of its attestations; empty accepts any that its anchors vouch for.
	Issuer string `yaml:"issuer"`
	// Challenge, when set, overrides the profile: required, or optional (one that is sent must be good).
	Challenge string `yaml:"challenge"`
	// AnchorsFile holds the roots of its certificates (PEM), KeysFile the key set of a provider without certificates.
	AnchorsFile string `yaml:"anchors_file"`
	KeysFile    string `yaml:"keys_file"`
	// KeyAnchorsFile holds the roots of its key attestations (PEM), which say in what the keys of credentials are kept. Default none.
	KeyAnchorsFile string `yaml:"key_anchors_file"`
}

// Makers reads the anchors of key attestations, for the credential issuers.
func (c Config) Makers() ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, w := range c.Wallets {
		if w.KeyAnchorsFile == "" {
			continue
		}
		list, err := anchors(w.KeyAnchorsFile)
		if err != nil {
			return nil, fmt.Errorf("openid: wallets: %s: %w", w.Name, err)
		}
		out = append(out, list...)
	}
	return out, nil
}

// Providers reads the trusted wallet providers, with every file.
func (c Config) Providers() ([]attestation.Provider, error) {
	var out []attestation.Provider
	seen := map[string]bool{}
	for _, w := range c.Wallets {
		p, err := w.provider()
		if err == nil && seen[w.Name] {
			err = fmt.Errorf("listed twice")
		}
		if err != nil {
			return nil, fmt.Errorf("openid: wallets: %s: %w", w.Name, err)
		}
		seen[w.Name] = true
		out = append(out, p)
	}
	return out, nil
}

func (w WalletProvider) provider() (attestation.Provider, error) {
	name := w.Profile
	if name == "" {
		name = "haip-1.0"
	}
	form, ok := attestation.ProfileOf(name)
	switch {
	case w.Name == "":
		return attestation.Provider{}, fmt.Errorf("name is missing")
	case !ok:
		return attestation.Provider{}, fmt.Errorf("profile %q is neither haip-1.0 nor current", w.Profile)
	case w.AnchorsFile == "" && (w.KeysFile == "" || form.RequireChain):
		return attestation.Provider{}, fmt.Errorf("anchors_file is missing")
	}
	switch w.Challenge {
	case "":
	case "required", "optional":
		form.RequireChallenge = w.Challenge == "required"
	default:
		return attestation.Provider{}, fmt.Errorf("challenge %q is neither required nor optional", w.Challenge)
	}
	p := attestation.Provider{Name: w.Name, Profile: form, Issuer: w.Issuer}
	var err error
	if w.AnchorsFile != "" {
		if p.Anchors, err = anchors(w.AnchorsFile); err != nil {
			return p, err
		}
	}
	if w.KeysFile != "" {
		raw, err := os.ReadFile(w.KeysFile)
		if err != nil {
			return p, err
		}
		if p.Keys, err = jose.ParseJWKS(raw); err != nil {
			return p, fmt.Errorf("%s: %w", w.KeysFile, err)
		}
	}
	return p, nil
}

// anchors reads the certificates of a PEM file. One that can't be read fails the file: a root that is missing by accident locks people out.
func anchors(file string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return out, nil
}

// Renew is background work: it reads the files again and hands them to trust. What can't be read changes nothing.
func (c Config) Renew(trust func([]attestation.Provider)) func(context.Context) error {
	return func(context.Context) error {
		providers, err := c.Providers()
		if err == nil {
			trust(providers)
		}
		return err
	}
}
