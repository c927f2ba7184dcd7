// Package apptest runs the built hufu as a process of its own, for tests that drive it from outside: it builds the binary once,
// starts `hufu dev` on free ports, waits for its ready line, kills and restarts it, and brings a plain HTTP browser.
//
// A test binary that uses it calls Main from its TestMain, so that the built binary is removed at the end.
package apptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readyWithin bounds a start. The goal is below a second on an idle machine; tests share two cores with others.
const readyWithin = 30 * time.Second

// stopWithin bounds an orderly stop.
const stopWithin = 15 * time.Second

// Ready is the line that `hufu dev --json` prints when it serves.
type Ready struct {
	Issuer            string       `json:"issuer"`
	CredentialIssuers []string     `json:"credential_issuers"`
	BundleURL         string       `json:"bundle_url"`
	RootURL           string       `json:"root_url"`
	Provinces         []Province   `json:"provinces"`
	Departments       []Department `json:"departments"`
	People            []Person     `json:"people"`
	WalletClientID    string       `json:"wallet_client_id"`
	Clients           []Client     `json:"clients"`
	Seals             []Seal       `json:"seals"`
	WalletURL         string       `json:"wallet_url"`
	SealMakers        []SealMaker  `json:"seal_makers"`
	// WalletProviders are test wallet providers that hufu dev trusts.
	WalletProviders []WalletProvider `json:"wallet_providers"`
}

// WalletProvider is one, for `hufu wallet accept --provider Dir`. Form is haip-1.0 or current.
type WalletProvider struct {
	Form     string `json:"form"`
	Dir      string `json:"dir"`
	ClientID string `json:"client_id"`
}

// Seal is a seal of a sample department, with the key files of two people there. The first of Ready.Seals allows one kind of document only.
type Seal struct {
	ID            string `json:"id"`
	Owner         string `json:"owner"`
	OwnerCode     string `json:"owner_code"`
	Name          string `json:"name"`
	KeyFile       string `json:"key_file"`
	SecondKeyFile string `json:"second_key_file"`
}

// SealMaker is the sample seal maker, with the key files of two people there.
type SealMaker struct {
	Code          string `json:"code"`
	Name          string `json:"name"`
	KeyFile       string `json:"key_file"`
	SecondKeyFile string `json:"second_key_file"`
}

// Province is a sample province: its code of six digits and the origin of its OpenID provider.
type Province struct {
	Code string `json:"code"`
	URL  string `json:"url"`
}

// Department is a sample department: a relying party at URL, whose key file signs for the department API.
type Department struct {
	Name       string `json:"name"`
	URL        string `json:"url"`
	KeyFile    string `json:"key_file"`
	CounterURL string `json:"counter_url"`
}

// Person is a sample person; Province is the code of the province that knows her.
type Person struct {
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	Province string `json:"province"`
}

// Client is a confidential client for experiments, on any loopback port: the first has a secret, the second a key file and profile fapi2.
type Client struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret"`
	KeyFile      string   `json:"key_file"`
	RedirectURIs []string `json:"redirect_uris"`
	Resources    []string `json:"resources"`
}

// Options say how to start. The zero value is a throw-away SQLite database that is gone when the process ends.
type Options struct {
	Database string   // --database; "" is SQLite
	Data     string   // --data; "" is --ephemeral. A restart finds what was there only with Data
	Args     []string // more arguments of hufu dev
	Env      []string // added to the environment
}

// App is a running hufu dev. Its methods are for one goroutine at a time, except reading Ready.
type App struct {
	Ready Ready
	// Base is the port of the national server; the others follow as the ready line says.
	Base int
	// Took is the time from starting the process to its ready line.
	Took time.Duration

	t      testing.TB
	o      Options
	binary string
	cmd    *exec.Cmd
	done   chan error
	log    *tail
}

// Start starts hufu dev and waits until it is ready. It is stopped when the test ends; a process that ended badly by itself fails the test.
func Start(t testing.TB, o Options) *App {
	t.Helper()
	a := &App{t: t, o: o, binary: Binary(t)}
	var err error
	// Another process may take a port between our look and the start.
	for try := 0; try < 3; try++ {
		if a.Base, err = freeBase(); err != nil {
			t.Fatal(err)
		}
		if err = a.start(); err == nil {
			t.Cleanup(a.Stop)
			return a
		}
	}
	t.Fatalf("hufu dev did not start: %v\n%s", err, a.log)
	return nil
}

func (a *App) start() error {
	args := []string{"dev", "--json", "--port-base", fmt.Sprint(a.Base)}
	if a.o.Data != "" {
		args = append(args, "--data", a.o.Data)
	} else {
		args = append(args, "--ephemeral")
	}
	if a.o.Database != "" {
		args = append(args, "--database", a.o.Database)
	}
	a.cmd = exec.Command(a.binary, append(args, a.o.Args...)...)
	a.cmd.Env = append(os.Environ(), a.o.Env...)
	a.log = &tail{}
	a.cmd.Stderr = a.log
	// Go's test runner kills only the test binary when time is over: the child must not outlive it.
	dieWithParent(a.cmd)
	stdout, err := a.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := a.cmd.Start(); err != nil {
		return err
	}
	line := make(chan []byte, 1)
	a.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) {
		r := bufio.NewReader(stdout)
		first, _ := r.ReadBytes('\n')
		line <- first
		_, _ = io.Copy(io.Discard, r)
		done <- cmd.Wait()
	}(a.cmd, a.done)
	select {
	case first := <-line:
		a.Took = time.Since(begin)
		a.Ready = Ready{}
		if err := json.Unmarshal(first, &a.Ready); err != nil || a.Ready.Issuer == "" {
			_ = a.cmd.Process.Kill()
			<-a.done
			return fmt.Errorf("no ready line but %q", first)
		}
		return nil
	case <-time.After(readyWithin):
		_ = a.cmd.Process.Kill()
		<-a.done
		return errors.New("not ready in time")
	}
}

// Stop ends the process as an operator does (SIGTERM). A process that ended before, or ends badly, fails the test.
func (a *App) Stop() {
	if a.cmd == nil {
		return
	}
	defer func() { a.cmd = nil }()
	select {
	case err := <-a.done:
		a.t.Errorf("hufu dev ended by itself: %v\n%s", err, a.log)
		return
	default:
	}
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-a.done:
		if err != nil {
			a.t.Errorf("hufu dev stopped badly: %v\n%s", err, a.log)
		}
	case <-time.After(stopWithin):
		_ = a.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		<-a.done
		a.t.Errorf("hufu dev didn't stop within %s\n%s", stopWithin, a.log)
	}
}

// Kill ends the process as a power cut does (SIGKILL) and waits until it is gone.
func (a *App) Kill() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Kill()
	<-a.done
	a.cmd = nil
}

// Restart starts the process again on the same ports, data and database; after Kill, or after stopping it.
func (a *App) Restart() {
	a.t.Helper()
	a.Stop()
	if err := a.start(); err != nil {
		a.t.Fatalf("hufu dev did not start again: %v\n%s", err, a.log)
	}
}

// Process returns the running process, for measuring; nil when it is stopped.
func (a *App) Process() *os.Process {
	if a.cmd == nil {
		return nil
	}
	return a.cmd.Process
}

// Log returns the end of what the process logged.
func (a *App) Log() string { return a.log.String() }

// Person returns the sample person with this slug.
func (a *App) Person(slug string) Person {
	a.t.Helper()
	for _, p := range a.Ready.People {
		if p.Slug == slug {
			return p
		}
	}
	a.t.Fatalf("no person %q among %v", slug, a.Ready.People)
	return Person{}
}

// Province returns the sample province with this code.
func (a *App) Province(code string) Province {
	a.t.Helper()
	for _, p := range a.Ready.Provinces {
		if p.Code == code {
			return p
		}
	}
	a.t.Fatalf("no province %q among %v", code, a.Ready.Provinces)
	return Province{}
}

// Result is how a command of hufu ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a command of hufu, such as Run(t, "verify", "--json", ...), and waits for its end.
func Run(t testing.TB, args ...string) Result {
	t.Helper()
	return RunCmd(t, exec.Command(Binary(t), args...))
}

// RunCmd runs a prepared command and returns how it ended; an end by a signal has code -1.
func RunCmd(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// JSON decodes the command's output, which must have ended with code 0.
func (r Result) JSON(t testing.TB, v any) {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if err := json.Unmarshal([]byte(r.Stdout), v); err != nil {
		t.Fatalf("%v in %q", err, r.Stdout)
	}
}

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Main runs the tests of a package and removes the built binary. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// Binary returns the path of hufu, which is built on first use.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "hufu-app-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "hufu")
		cmd := exec.Command("go", "build", "-o", built.path, "github.com/hufu-id/hufu/cmd/hufu")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build ./cmd/hufu: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}
