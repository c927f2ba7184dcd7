//go:build conformance

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/certs"
	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/conformance/oidf/vci"
	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/keys"
)

// world is a national server that serves as in production, with the sample provinces behind it and the plans' clients registered.
type world struct {
	suite     *suite.Suite
	profile   string
	dir       string
	binary    string
	door           // the server's
	mtls      door // for clients with certificates
	authority *certs.Authority
	provinces []*httptest.Server
	entries   []map[string]any // the provinces in our configuration
	person    apptest.Person
	refuser   apptest.Person
	clients   []hufuClient
	desk      *vci.Desk // nil without wallets
	provider  *vci.Provider
	configs   map[string]*suite.Config
	server    *exec.Cmd
	http      *http.Transport
}

// door is an address of the server.
type door struct{ origin, listen string }

func newDoor() (door, error) {
	port, err := apptest.FreePort()
	return door{fmt.Sprintf("https://localhost:%d", port), fmt.Sprintf("127.0.0.1:%d", port)}, err
}

// somebody is who logs in: an account with the highest level. She agrees until revoked; who declines must be another, of the same province, because
// she would not be asked again.
const (
	somebody = "wang-jianguo"
	another  = "shen-yue"
)

// openWorld builds hufu and starts it, limited to one profile or "" for all, with what the plans of that profile need.
func openWorld(ctx context.Context, s *suite.Suite, profile string, chosen []plan) (w *world, err error) {
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(p plan) bool { return p.profile() != profile })
	w = &world{suite: s, profile: profile, configs: map[string]*suite.Config{}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "hufu-oidf-"); err != nil {
		return w, err
	}
	if w.authority, err = certs.New(); err != nil {
		return w, err
	}
	pool := s.Pool.Clone()
	pool.AddCert(w.authority.Cert)
	w.http = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	w.binary = filepath.Join(w.dir, "hufu")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", w.binary, "github.com/hufu-id/hufu/cmd/hufu").CombinedOutput(); err != nil {
		return w, fmt.Errorf("go build ./cmd/hufu: %w\n%s", err, out)
	}
	if w.door, err = newDoor(); err != nil {
		return w, err
	}
	if w.mtls, err = newDoor(); err != nil {
		return w, err
	}
	if err := w.openProvinces(); err != nil {
		return w, err
	}
	if err := w.openDesk(); err != nil {
		return w, err
	}
	for _, p := range chosen {
		if err := w.register(p); err != nil {
			return w, err
		}
	}
	if err := w.configure(chosen); err != nil {
		return w, err
	}
	if _, err := w.hufu(ctx, "migrate"); err != nil {
		return w, err
	}
	if err := w.letRegister(ctx, chosen); err != nil {
		return w, err
	}
	if err := w.serve(ctx); err != nil {
		return w, err
	}
	return w, w.registerLicences(ctx)
}

// openDesk makes the department and the wallet provider, where wallets are.
func (w *world) openDesk() (err error) {
	if w.profile != walletsOnly {
		return nil
	}
	w.desk = &vci.Desk{Binary: w.binary, Dir: w.dir, Origin: w.origin, HTTP: &http.Client{Transport: w.http, Timeout: time.Minute}, Trusted: w.file("trusted.pem")}
	if err := w.desk.Open(); err != nil {
		return err
	}
	w.provider, err = vci.NewProvider()
	return err
}

// registerLicences gives everybody a licence, and the suite the anchors of what it will get.
func (w *world) registerLicences(ctx context.Context) error {
	if w.desk == nil {
		return nil
	}
	if err := w.desk.Register(ctx, somebody, another); err != nil {
		return err
	}
	anchors, err := w.desk.Anchors(ctx)
	for _, c := range w.configs {
		c.Credential = anchors
	}
	return err
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name string, content []byte) error {
	return os.WriteFile(w.file(name), content, 0o600)
}

// openProvinces starts the sample provinces with TLS: serve takes no other.
func (w *world) openProvinces() error {
	all := sample.NewWorld()
	for slug, to := range map[string]*apptest.Person{somebody: &w.person, another: &w.refuser} {
		who, _ := all.Person(slug)
		*to = apptest.Person{Slug: who.Slug, Name: who.Name, Province: who.Province}
	}
	certificate, err := w.authority.Server()
	if err != nil {
		return err
	}
	for _, info := range all.Provinces {
		srv := httptest.NewUnstartedServer(nil)
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
		issuer, code := "https://localhost:"+port, province.Code(info.Code)
		h, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: all.PeopleOf(info.Code), BaseURL: issuer, ClientID: "national",
			RedirectURI: federation.CallbackURL(w.origin, code), JWKSURI: federation.KeysURL(w.origin, code),
			HTTP: &http.Client{Timeout: 5 * time.Second, Transport: w.http}})
		if err != nil {
			return err
		}
		srv.Config.Handler = h
		srv.StartTLS()
		w.provinces = append(w.provinces, srv)
		levels := map[string]string{}
		for word, level := range info.Levels {
			levels[word] = level.String()
		}
		w.entries = append(w.entries, map[string]any{"code": info.Code, "issuer": issuer, "client_id": "national",
			"ceiling": info.Ceiling.String(), "levels": levels})
	}
	return nil
}

// configure writes the configuration of serve and the files that it names. JSON is YAML too.
func (w *world) configure(chosen []plan) error {
	settings := map[string]any{
		"origin": w.origin, "listen": w.listen, "database": "sqlite:" + w.file("hufu.db"), "kek_file": w.file("kek"), "sandbox": true,
		"tls": map[string]string{"cert_file": w.file("server.pem"), "key_file": w.file("server.key")},
		// The suite and the provinces are on this machine.
		"allow_networks": []string{"127.0.0.0/8", "::1/128"},
		"provinces":      w.entries,
		"clients":        w.clients,
	}
	switch w.profile {
	case "":
	case walletsOnly:
		settings["authorities"] = []any{w.desk.Authority()}
		settings["clients"] = append([]any{w.desk.Client()}, entries(w.clients)...)
		if err := w.provider.Configure(settings, w.dir); err != nil {
			return err
		}
	default:
		settings["openid"] = map[string]string{"profile": w.profile}
	}
	if slices.ContainsFunc(chosen, plan.registers) {
		settings["client_registration"] = map[string]any{"mode": "token", "scopes": scopes}
	}
	if slices.ContainsFunc(chosen, func(p plan) bool { return p.clients == certificates }) {
		settings["mtls"] = map[string]any{"listen": w.mtls.listen, "origin": w.mtls.origin, "cert_file": w.file("server.pem"), "key_file": w.file("server.key"),
			"client_ca_files": []string{w.file("clients.pem")}}
	}
	config, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	_, kek := keys.NewKEK()
	server, err := w.authority.Server()
	if err != nil {
		return err
	}
	cert, key, err := certs.PEM(server)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"hufu.yaml": config, "kek": []byte(kek), "server.pem": cert, "server.key": key, "clients.pem": w.authority.PEM(),
		// What the server trusts when it asks: the provinces, and the suite in the role of a client.
		"trusted.pem": append(w.authority.PEM(), w.suite.CA...)} {
		if err := w.write(name, content); err != nil {
			return err
		}
	}
	return nil
}

// hufu runs a command of hufu to its end.
func (w *world) hufu(ctx context.Context, args ...string) (said string, err error) {
	out, err := exec.CommandContext(ctx, w.binary, append(args, "--config", w.file("hufu.yaml"))...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("hufu %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// letRegister gives the suite a token with which its clients may register themselves.
func (w *world) letRegister(ctx context.Context, chosen []plan) error {
	if !slices.ContainsFunc(chosen, plan.registers) {
		return nil
	}
	said, err := w.hufu(ctx, "client", "initial-token", "--uses", "10000")
	if err != nil {
		return err
	}
	token, _, _ := strings.Cut(said, "\n")
	for _, p := range chosen {
		if p.registers() {
			w.configs[p.name].Client.Token, w.configs[p.name].Client2.Token = token, token
		}
	}
	return nil
}

// get reads a public document of the server.
func (w *world) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.origin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: w.http, Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

func (w *world) serve(ctx context.Context) error {
	log, err := os.OpenFile(w.file("serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	w.server = exec.Command(w.binary, "serve", "--config", w.file("hufu.yaml"))
	w.server.Env = append(os.Environ(), "SSL_CERT_FILE="+w.file("trusted.pem"))
	w.server.Stderr = log
	apptest.DieWithParent(w.server)
	if err := w.server.Start(); err != nil {
		return err
	}
	client := &http.Client{Transport: w.http, Timeout: 5 * time.Second}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		res, err := client.Get(w.origin + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("hufu serve did not start: %s", w.serverLog(2000))
}

// serverLog is the end of what the server logged.
func (w *world) serverLog(last int) string {
	raw, _ := os.ReadFile(w.file("serve.log"))
	return string(raw[max(0, len(raw)-last):])
}

// stop ends the server as an operator does.
func (w *world) stop() error {
	if w.server == nil || w.server.Process == nil {
		return nil
	}
	_ = w.server.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	err := w.server.Wait()
	w.server = nil
	return err
}

// close ends everything; nil is nothing.
func (w *world) close() {
	if w == nil {
		return
	}
	if err := w.stop(); err != nil {
		fmt.Fprintf(os.Stderr, "oidf: hufu serve stopped badly: %v\n%s\n", err, w.serverLog(2000))
	}
	for _, p := range w.provinces {
		p.Close()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}
