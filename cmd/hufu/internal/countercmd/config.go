package countercmd

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/configfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/listen"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
)

// Config is the configuration file of `hufu counter`. Unknown keys are refused. The comments are its manual.
type Config struct {
	// BaseURL is where the department's browsers find this program, such as https://counter.example: no path, no slash. Proofs are made for it.
	BaseURL string `yaml:"base_url"`
	// Listen is the address to listen on. Default 127.0.0.1:8085, behind the department's login and proxy: the counter has no login of its own.
	Listen string `yaml:"listen"`
	// TLS names certificate and key files (PEM) if this process ends TLS itself.
	TLS *listen.Files `yaml:"tls"`
	// Department is its name as pages and receipts show it, Code its unified social credit code (GB 32100).
	Department web.Text `yaml:"department"`
	Code       string   `yaml:"code"`
	// ClientID is the department's client at the national server; wallets look up there who asks.
	ClientID string `yaml:"client_id"`
	// National is the national server's origin.
	National string `yaml:"national"`
	// Database is "sqlite:PATH" or "postgres://...", the department's own. Its tables are made and brought up to date by this program. The environment
	// variable HUFU_COUNTER_DATABASE goes before it.
	Database string `yaml:"database"`
	// BundleDir keeps this machine's copy of the trust bundle. RootFile is the root of trust, given once and compared out of band.
	BundleDir string `yaml:"bundle_dir"`
	RootFile  string `yaml:"root_file"`
	// Refresh is how often a newer bundle is looked for. Default 1m; 0s never: it is imported by hand.
	Refresh *time.Duration `yaml:"refresh"`
	// OldAfter is the age of bundle or status list from which a valid verdict carries a warning. Default 24h.
	OldAfter time.Duration `yaml:"old_after"`
	// Requests are what this counter asks for.
	Requests []RequestConfig `yaml:"requests"`
	// Purposes are the ids of purposes whose unasked shows are accepted. Default: those of requests, and "chosen".
	Purposes []string `yaml:"purposes"`
	// AllowNetworks are address blocks of a closed network that outgoing requests may reach, such as 10.20.0.0/16. Default none.
	AllowNetworks []string `yaml:"allow_networks"`
	// Sandbox says on every page that all people and data are invented.
	Sandbox bool `yaml:"sandbox"`
}

// RequestConfig is one thing to ask for.
type RequestConfig struct {
	// Type is a licence type such as "driving-licence", Purpose one of its presets such as "driving-check", Name what the clerk reads.
	Type    string   `yaml:"type"`
	Purpose string   `yaml:"purpose"`
	Name    web.Text `yaml:"name"`
}

// ReadConfig reads a file and reports all problems at once.
func ReadConfig(path string) (Config, error) {
	var cfg Config
	if err := configfile.Decode(path, &cfg); err != nil {
		return cfg, err
	}
	if db := os.Getenv("HUFU_COUNTER_DATABASE"); db != "" {
		cfg.Database = db
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:8085"
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("%s:\n%w", path, err)
	}
	return cfg, nil
}

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Check returns every problem, one a line.
func (c Config) Check() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf("  "+format, args...)) }
	for name, origin := range map[string]string{"base_url": c.BaseURL, "national": c.National} {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost")) ||
			u.Scheme+"://"+u.Host != origin {
			bad("%s: %q must be https://host without a path or a slash", name, origin)
		}
	}
	if c.Department.ZH == "" || c.Department.EN == "" {
		bad("department: zh and en are needed")
	}
	if _, err := gb.ParseCreditCode(c.Code); err != nil {
		bad("code: %q is no unified social credit code: %v", c.Code, err)
	}
	for name, value := range map[string]string{"client_id": c.ClientID, "database": c.Database, "bundle_dir": c.BundleDir, "root_file": c.RootFile} {
		if value == "" {
			bad("%s: missing", name)
		}
	}
	if c.TLS != nil && (c.TLS.CertFile == "" || c.TLS.KeyFile == "") {
		bad("tls: cert_file and key_file belong together")
	}
	if c.Refresh != nil && (*c.Refresh < 0 || *c.Refresh > 0 && *c.Refresh < time.Second) {
		bad("refresh: at least 1s, or 0s for never")
	}
	if c.OldAfter < 0 {
		bad("old_after: must not be negative")
	}
	if _, err := c.networks(); err != nil {
		bad("allow_networks: %v", err)
	}
	c.checkRequests(bad)
	// Maps have no order; the same problems are told in the same one.
	slices.SortStableFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

func (c Config) checkRequests(bad func(string, ...any)) {
	if len(c.Requests) == 0 {
		bad("requests: at least one is needed")
	}
	seen := map[string]bool{}
	for _, q := range c.Requests {
		switch {
		case !idForm.MatchString(q.Type) || !idForm.MatchString(q.Purpose):
			bad("requests: type %q and purpose %q must be ids such as driving-licence and driving-check", q.Type, q.Purpose)
		case seen[q.Purpose]:
			bad("requests: purpose %s stands twice", q.Purpose)
		case q.Name.ZH == "" || q.Name.EN == "":
			bad("requests: %s: name: zh and en are needed", q.Purpose)
		}
		seen[q.Purpose] = true
	}
	for _, p := range c.Purposes {
		if !idForm.MatchString(p) {
			bad("purposes: %q is no id", p)
		}
	}
}

func (c Config) networks() (out []netip.Prefix, err error) {
	for _, text := range c.AllowNetworks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// refresh is the interval; 0 is never.
func (c Config) refresh() time.Duration {
	if c.Refresh == nil {
		return time.Minute
	}
	return *c.Refresh
}

func (c Config) requests() (out []counter.Request) {
	for _, q := range c.Requests {
		out = append(out, counter.Request{Type: q.Type, Purpose: q.Purpose, Name: q.Name})
	}
	return out
}

// root reads the root of trust that was given.
func (c Config) root() ([]byte, error) {
	f, err := os.Open(c.RootFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, bundlecopy.MaxRoot+1))
	if err == nil && len(raw) > bundlecopy.MaxRoot {
		err = bundle.ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.RootFile, err)
	}
	return raw, nil
}
