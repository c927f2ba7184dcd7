package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/process"
	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
)

// The world of a run.
const (
	provinceCode = "440000"
	redirectURI  = "https://rp.hufu.test/callback"
	rpID         = "bench-rp"
	machineID    = "bench-machine"
	walletID     = "bench-wallet"
	registerID   = "bench-register"
	licenceType  = "driving-licence"
	// people is how many log in: enough that no two logins at once are of one person.
	people = 64
)

// bench is one run.
type bench struct {
	dir, binary, dsn string
	origin, listen   string
	province         *httptest.Server
	provinceIssuer   string
	pool             *x509.CertPool
	secret           string
	people           []sample.Person

	db         *sqlstore.DB // for counting
	base       string       // the cluster's URL
	postmaster int
	server     *exec.Cmd
	measured   int // the process whose CPU time is counted: the server's, or the floor's
	floor      *exec.Cmd
	// floorOrigin is where the floor listens.
	floorOrigin string
	http        *process.Counter
	browsers    []*browser

	mu         sync.Mutex
	credential string // one that was issued, for verifying offline
	holder     jose.SigningKey
}

// newBench builds the binary, opens the database and the province, and writes the configuration.
func newBench(ctx context.Context) (b *bench, err error) {
	b = &bench{secret: rand.Text() + rand.Text() + rand.Text()}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "hufu-bench-"); err != nil {
		return b, err
	}
	b.binary = filepath.Join(b.dir, "hufu")
	if err := process.Build(ctx, b.binary, "cmd/hufu"); err != nil {
		return b, err
	}
	if err := b.openDatabase(ctx); err != nil {
		return b, err
	}
	port, err := process.FreePort()
	if err != nil {
		return b, err
	}
	b.listen, b.origin = net.JoinHostPort("127.0.0.1", port), "http://localhost:"+port
	if err := b.openProvince(); err != nil {
		return b, err
	}
	return b, b.configure()
}

// openDatabase makes an empty database and finds the process that all of the server's processes come from.
func (b *bench) openDatabase(ctx context.Context) error {
	base, err := sqltest.Durable()
	if err != nil {
		return err
	}
	admin, err := sqlstore.Open(ctx, base)
	if err != nil {
		return err
	}
	defer admin.Close()
	var id [6]byte
	_, _ = rand.Read(id[:])
	name := "hufu_bench_" + hex.EncodeToString(id[:])
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	b.base, b.dsn = base, u.String()
	if b.db, err = sqlstore.Open(ctx, b.dsn); err != nil {
		return err
	}
	var backend int
	if err := b.db.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return err
	}
	if b.postmaster, err = cost.Parent(backend); err != nil {
		return fmt.Errorf("the database's processes must run on this machine: %w", err)
	}
	return nil
}

// openProvince starts the sample province with TLS, as serve demands it, and people of its own.
func (b *bench) openProvince() error {
	world := sample.NewWorld()
	info, _ := world.Province(provinceCode)
	for i := range people {
		id, err := gb.MakeResidentID("994401", time.Date(1970, 1, 1+i, 0, 0, 0, 0, time.UTC), 2*i)
		if err != nil {
			return err
		}
		b.people = append(b.people, sample.Person{Slug: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("李秀英%c", '一'+rune(i)), English: "Li Xiuying", ResidentID: string(id),
			Province: provinceCode, Provinces: []string{provinceCode}, Level: 3, Birthdate: id.Birthdate(), Gender: "female", Phone: fmt.Sprintf("+8613800001%03d", i)})
	}
	certificate, ca, err := process.Certificate()
	if err != nil {
		return err
	}
	b.province = httptest.NewUnstartedServer(nil)
	b.province.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	b.province.EnableHTTP2 = true
	_, port, err := net.SplitHostPort(b.province.Listener.Addr().String())
	if err != nil {
		return err
	}
	b.provinceIssuer = "https://localhost:" + port
	handler, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: b.people, BaseURL: b.provinceIssuer, ClientID: "national",
		RedirectURI: federation.CallbackURL(b.origin, province.Code(provinceCode)), JWKSURI: federation.KeysURL(b.origin, province.Code(provinceCode))})
	if err != nil {
		return err
	}
	b.province.Config.Handler = handler
	b.province.StartTLS()
	b.pool = x509.NewCertPool()
	b.pool.AppendCertsFromPEM(ca)
	return os.WriteFile(filepath.Join(b.dir, "ca.pem"), ca, 0o600)
}

// configure writes the configuration of serve and the files that it names. JSON is YAML too.
func (b *bench) configure() error {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return err
	}
	private, err1 := jose.MarshalPrivateJWK(key)
	public, err2 := key.Public()
	set, err3 := jose.MarshalJWKS([]jose.JWK{public})
	department, err4 := json.Marshal(map[string]any{"client_id": registerID, "department": sample.TrafficPoliceCode, "name": "bench", "key": json.RawMessage(private)})
	info, _ := sample.NewWorld().Province(provinceCode)
	levels := map[string]string{}
	for word, level := range info.Levels {
		levels[word] = level.String()
	}
	type m map[string]any
	text := m{"zh": "测量", "en": "Bench"}
	clients := []m{
		{"id": rpID, "name": text, "service": text, "redirect_uris": []string{redirectURI}, "auth_method": "client_secret_basic", "secret_file": b.file("secret"),
			"grant_types": []string{"authorization_code"}, "scopes": []string{"openid", "profile"}},
		{"id": machineID, "name": text, "service": text, "organisation": sample.MarketRegulationCode, "auth_method": "client_secret_basic", "secret_file": b.file("secret"),
			"grant_types": []string{"client_credentials"}, "scopes": []string{"register"}, "resources": []string{api}},
		{"id": opaqueID, "name": text, "service": text, "organisation": sample.MarketRegulationCode, "auth_method": "client_secret_basic", "secret_file": b.file("secret"),
			"grant_types": []string{"client_credentials"}, "scopes": []string{"register"}, "resources": []string{api}, "opaque_access_tokens": true},
		{"id": apiID, "name": text, "service": text, "auth_method": "client_secret_basic", "secret_file": b.file("secret"), "serves": []string{api}},
		{"id": refreshID, "name": text, "service": text, "redirect_uris": []string{redirectURI}, "auth_method": "client_secret_basic", "secret_file": b.file("secret"),
			"grant_types": []string{"authorization_code", "refresh_token"}, "scopes": []string{"openid", "profile"}},
		{"id": walletID, "name": text, "service": text, "redirect_uris": []string{redirectURI}, "auth_method": "none",
			"grant_types": []string{"authorization_code"}, "scopes": []string{"openid", licenceType}},
		{"id": registerID, "name": text, "service": text, "organisation": sample.TrafficPoliceCode, "auth_method": "private_key_jwt", "jwks_file": b.file("register.jwks"),
			"grant_types": []string{"client_credentials"}, "scopes": []string{"register"}},
	}
	files := map[string][]byte{}
	for _, s := range sealers {
		files[s.id] = []byte(b.secret + s.id)
		clients = append(clients, m{"id": s.id, "name": text, "service": text, "organisation": s.organisation, "auth_method": "client_secret_basic", "secret_file": b.file(s.id),
			"grant_types": []string{"client_credentials"}, "scopes": []string{"seal"}})
	}
	config, err5 := json.Marshal(m{"origin": b.origin, "listen": b.listen, "database": b.dsn, "kek_file": b.file("kek"), "sandbox": true,
		"allow_networks": []string{"127.0.0.0/8", "::1/128"},
		"provinces":      []m{{"code": provinceCode, "issuer": b.provinceIssuer, "client_id": "national", "ceiling": "loa4", "levels": levels}},
		"authorities":    []m{{"code": sample.TrafficPoliceCode, "name_zh": "沙箱省公安厅交通管理局", "name_en": "Traffic Police", "types": []string{licenceType, "vehicle-licence"}, "region": "99"}},
		"clients":        clients,
		"seal_makers":    []m{{"code": sample.SealMakerCode, "name_zh": sample.SealMakerName, "name_en": sample.SealMakerEnglish}}})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	_, kek := keys.NewKEK()
	for name, content := range map[string][]byte{"kek": []byte(kek), "secret": []byte(b.secret), "register.jwks": set, "department.json": department, "hufu.yaml": config} {
		files[name] = content
	}
	for name, content := range files {
		if err := os.WriteFile(b.file(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// hufu runs a command of hufu to its end.
func (b *bench) hufu(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, b.binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("hufu %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// serve migrates, starts `hufu serve` twice, so that the second start finds its keys made, and returns what the second start took.
func (b *bench) serve(ctx context.Context) (readyMS float64, err error) {
	if err := b.hufu(ctx, "migrate", "--config", b.file("hufu.yaml")); err != nil {
		return 0, err
	}
	for range 2 {
		if err := process.Stop(b.server); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := b.start(ctx); err != nil {
			return 0, err
		}
		b.measured = b.server.Process.Pid
		readyMS = float64(time.Since(begin).Microseconds()) / 1000
	}
	return readyMS, nil
}

// start starts `hufu serve` and waits until it is ready.
func (b *bench) start(ctx context.Context) error {
	log, err := os.Create(b.file("serve.log"))
	if err != nil {
		return err
	}
	b.server = exec.CommandContext(ctx, b.binary, "serve", "--config", b.file("hufu.yaml"))
	b.server.Env = append(os.Environ(), "SSL_CERT_FILE="+b.file("ca.pem"))
	b.server.Stderr = log
	apptest.DieWithParent(b.server)
	err = b.server.Start()
	_ = log.Close()
	if err != nil {
		return err
	}
	return b.ready(ctx)
}

func (b *bench) ready(ctx context.Context) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		res, err := http.Get(b.origin + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	log, _ := os.ReadFile(b.file("serve.log"))
	return fmt.Errorf("hufu serve did not start: %s", log)
}

func (b *bench) close() {
	if b.floor != nil {
		_ = process.Stop(b.floor) // it knows no way to stop but the signal
	}
	if err := process.Stop(b.server); err != nil {
		say("hufu serve stopped badly: %v", err)
	}
	if b.province != nil {
		b.province.Close()
	}
	if b.db != nil {
		_ = b.db.Close()
		process.DropDatabase(b.base, b.dsn)
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}
