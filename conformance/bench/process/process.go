// Package process builds, starts and stops the programs that bench measures, and gives them what they need to listen.
package process

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// Build builds a command of this module, stripped, as a file.
func Build(ctx context.Context, file, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", file, "github.com/hufu-id/hufu/"+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./%s: %w\n%s", folder, err, out)
	}
	return nil
}

// Start starts a program and returns the first line that it prints.
func Start(ctx context.Context, file string, args ...string) (cmd *exec.Cmd, line string, err error) {
	cmd = exec.CommandContext(ctx, file, args...)
	cmd.Stderr = os.Stderr
	apptest.DieWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	line, err = bufio.NewReader(stdout).ReadString('\n')
	return cmd, strings.TrimSpace(line), err
}

// Stop ends a process, if it runs, as an operator does, and waits for its end.
func Stop(cmd *exec.Cmd) error {
	if cmd == nil || cmd.Process == nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return cmd.Wait()
}

// Kill ends a process as a power cut does.
func Kill(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // it says that it was killed
	return nil
}

// FreePort is a port of this machine that nobody listens on yet.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// Certificate returns a certificate for localhost that is its own authority.
func Certificate() (tls.Certificate, []byte, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Key.Public(), key.Key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Dev starts `hufu dev` as a newcomer does, and returns its time to ready and its memory when it idles.
func Dev(ctx context.Context, binary string) (readyMS, mib float64, err error) {
	cmd := exec.CommandContext(ctx, binary, "dev", "--json", "--ephemeral", "--port-base", "19180")
	var said bytes.Buffer
	cmd.Stderr = &said
	apptest.DieWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	readyMS = float64(time.Since(begin).Microseconds()) / 1000
	if err == nil {
		go func() { _, _ = io.Copy(io.Discard, stdout) }()
		time.Sleep(3 * time.Second)
		mib, err = cost.RSS(cmd.Process.Pid)
	} else {
		err = fmt.Errorf("hufu dev did not get ready: %w: %s%s", err, line, &said)
	}
	return readyMS, mib, errors.Join(err, Stop(cmd))
}

// Counter counts the requests to one origin.
type Counter struct {
	Transport http.RoundTripper
	Origin    string
	N         atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c *Counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.String(), c.Origin+"/") {
		c.N.Add(1)
	}
	return c.Transport.RoundTrip(r)
}

// DropDatabase drops the database of dsn by way of base, as far as it can.
func DropDatabase(base, dsn string) {
	ctx := context.Background()
	admin, err := sqlstore.Open(ctx, base)
	if err != nil {
		return
	}
	defer admin.Close()
	u, err := url.Parse(dsn)
	if err == nil {
		_, _ = admin.Exec(ctx, "DROP DATABASE IF EXISTS "+u.Path[1:]+" WITH (FORCE)")
	}
}
