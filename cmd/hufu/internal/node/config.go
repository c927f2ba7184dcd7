package node

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/clientfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/configfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/issuing"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/listen"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/openid"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/provinces"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/internal/gb"
)

// Config is the configuration file of `hufu serve`. Unknown keys are refused. The comments are its manual.
type Config struct {
	// Origin is the national server's only origin and OpenID issuer, such as https://id.example: no path, no slash. It never changes: every
	// identifier hangs on it.
	Origin string `yaml:"origin"`
	// Listen is the address to listen on. Default 127.0.0.1:8080, behind a proxy that ends TLS.
	Listen string `yaml:"listen"`
	// TLS names certificate and key files (PEM) if this process ends TLS itself.
	TLS *listen.Files `yaml:"tls"`
	// MTLS is a further listener, for clients that authenticate by certificate.
	MTLS *listen.MTLS `yaml:"mtls"`
	// Database is "sqlite:PATH" or "postgres://...". The environment variable HUFU_DATABASE goes before it.
	Database string `yaml:"database"`
	// KEKFile holds the key-encryption key: 32 random bytes in base64, readable by its owner only. Whoever loses it loses every key.
	KEKFile string `yaml:"kek_file"`
	// Name is the national authority's name in certificates. Default "Hufu".
	Name string `yaml:"name"`
	// Sandbox says on every page that all people and data are invented.
	Sandbox bool `yaml:"sandbox"`
	// AllowNetworks are address blocks of a closed network that outgoing requests may reach, such as 10.20.0.0/16. Default none.
	AllowNetworks []string `yaml:"allow_networks"`
	// OpenID is about the OpenID Provider: its profile, and types of authorization_details.
	OpenID openid.Config `yaml:"openid"`
	// Provinces that have joined.
	Provinces []ProvinceConfig `yaml:"provinces"`
	// RevocationJournal is the directory of the revocation journal: on another disk than the database, outside its backups, and for all nodes of a
	// server the same, or gathered in one before `hufu restore`. Default
	// none: then a restored database has forgotten the revocations after its backup.
	RevocationJournal string `yaml:"revocation_journal"`
	// Status is about status lists.
	Status StatusConfig `yaml:"status"`
	// Issuing is about credentials: batches, key attestations, encryption.
	Issuing issuing.Config `yaml:"issuing"`
	// Authorities that issue licences.
	Authorities []AuthorityConfig `yaml:"authorities"`
	// SealMakers are organisations that issue e-seals. None may be an authority of the list above.
	SealMakers []SealMakerConfig `yaml:"seal_makers"`
	// Clients are relying parties, wallets and departments' systems. One that is missing here but was there before is not removed.
	Clients []clientfile.Entry `yaml:"clients"`
	// ClientRegistration lets clients register themselves.
	ClientRegistration clientfile.Registration `yaml:"client_registration"`
}

// ProvinceConfig is a province that joined by OpenID Connect.
type ProvinceConfig = provinces.Config

// StatusConfig is about status lists.
type StatusConfig struct {
	// Spread is how long the copies of one licence take to change in the lists, each at a random moment. Default 45s; the promise for all is a minute.
	Spread time.Duration `yaml:"spread"`
	// History is how long earlier states of lists are served after they expired. Default as long as the list; negative keeps none.
	History time.Duration `yaml:"history"`
}

// AuthorityConfig is an authority that issues licences of its own.
type AuthorityConfig struct {
	// Code is its unified social credit code (GB 32100).
	Code string `yaml:"code"`
	// NameZH and NameEN are shown in wallets and verdicts; NameZH stands in its certificates.
	NameZH string `yaml:"name_zh"`
	NameEN string `yaml:"name_en"`
	// Types are the licence types that it may issue, such as "driving-licence".
	Types []string `yaml:"types"`
	// Region is a division code prefix, such as "44". Empty is the whole country.
	Region string `yaml:"region"`
	// Release is "by_hand" if the authority wants to release each licence before copies of it go to wallets (POST /register/v1/releases); wallets then wait.
	// Empty: at once.
	Release string `yaml:"release"`
}

const releaseByHand = "by_hand"

// SealMakerConfig is an organisation that issues e-seals.
type SealMakerConfig struct {
	// Code is its unified social credit code (GB 32100).
	Code string `yaml:"code"`
	// NameZH and NameEN are shown in verdicts; NameZH stands in its certificates.
	NameZH string `yaml:"name_zh"`
	NameEN string `yaml:"name_en"`
}

// ReadConfig reads a file and reports all problems at once.
func ReadConfig(path string) (Config, error) {
	var cfg Config
	if err := configfile.Decode(path, &cfg); err != nil {
		return cfg, err
	}
	if db := os.Getenv("HUFU_DATABASE"); db != "" {
		cfg.Database = db
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:8080"
	}
	if err := cfg.check(); err != nil {
		return cfg, fmt.Errorf("%s:\n%w", path, err)
	}
	return cfg, nil
}

// check returns every problem, one a line.
func (c Config) check() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf("  "+format, args...)) }
	if u, err := url.Parse(c.Origin); err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost")) ||
		u.Scheme+"://"+u.Host != c.Origin {
		bad("origin: %q must be https://host without a path or a slash", c.Origin)
	}
	if c.Database == "" {
		bad("database: missing")
	}
	if c.KEKFile == "" {
		bad("kek_file: missing")
	}
	listen.Check(c.Listen, c.Origin, c.TLS, c.MTLS, bad)
	if _, err := c.Networks(); err != nil {
		bad("allow_networks: %v", err)
	}
	c.OpenID.Check(bad)
	c.Issuing.Check(bad)
	for _, p := range c.Provinces {
		p.Check(c.Origin, bad)
	}
	for _, a := range c.Authorities {
		if _, err := gb.ParseCreditCode(a.Code); err != nil {
			bad("authorities: %q is no unified social credit code: %v", a.Code, err)
		}
		if a.NameZH == "" || a.NameEN == "" || len(a.Types) == 0 {
			bad("authorities: %s: name_zh, name_en and types are needed", a.Code)
		}
		if a.Release != "" && a.Release != releaseByHand {
			bad("authorities: %s: release is by_hand or not there", a.Code)
		}
	}
	seals.CheckMakers(c.makers(), func(code string) bool { _, ok := c.authority(code); return ok }, bad)
	sealKeys := map[string]string{}
	for _, cl := range c.Clients {
		made, err := cl.Client("")
		if err != nil {
			bad("clients: %s: %v", cl.ID, err)
		}
		seals.CheckKeys(made, sealKeys, bad)
	}
	if _, err := c.ClientRegistration.Policy(); err != nil {
		bad("client_registration: %v", err)
	}
	return errors.Join(problems...)
}

func (c Config) Networks() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.AllowNetworks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
