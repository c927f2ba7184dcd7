package countercmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `base_url: https://counter.example
department: {zh: 沙箱窗口, en: Sandbox window}
code: 1199440000TRY002X9
client_id: sandbox-traffic-police
national: https://id.example
database: sqlite:counter.db
bundle_dir: bundle
root_file: root.json
refresh: 30s
requests:
  - {type: driving-licence, purpose: driving-check, name: {zh: 驾驶检查, en: Driving check}}
`

func read(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "counter.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadConfig(path)
}

func TestConfigReportsEveryProblemAtOnce(t *testing.T) {
	cfg, err := read(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:8085" || cfg.refresh() != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
	_, err = read(t, "base_url: https://counter.example/counter\nnational: http://id.example\ncode: X\nrefresh: 10ms\nallow_networks: [nowhere]\nrequests: [{type: Driving Licence}]\ntls: {cert_file: a}\n")
	for _, want := range []string{"base_url", "national", "code", "client_id", "database", "bundle_dir", "root_file", "department", "refresh", "allow_networks", "requests", "tls"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s in %v", want, err)
		}
	}
	if _, err := read(t, good+"unknown: 1\n"); err == nil {
		t.Error("an unknown key was taken")
	}
	if _, err := read(t, good+"  - {type: driving-licence, purpose: driving-check, name: {zh: 又, en: again}}\n"); err == nil {
		t.Error("a purpose that stands twice was taken")
	}
}

// TestNationalDatabaseIsNotTheCounters: the environment of a national server on the same machine must not lead here.
func TestNationalDatabaseIsNotTheCounters(t *testing.T) {
	t.Setenv("HUFU_DATABASE", "sqlite:national.db")
	if cfg, err := read(t, good); err != nil || cfg.Database != "sqlite:counter.db" {
		t.Errorf("%s %v", cfg.Database, err)
	}
	t.Setenv("HUFU_COUNTER_DATABASE", "sqlite:own.db")
	if cfg, err := read(t, good); err != nil || cfg.Database != "sqlite:own.db" {
		t.Errorf("%s %v", cfg.Database, err)
	}
}
