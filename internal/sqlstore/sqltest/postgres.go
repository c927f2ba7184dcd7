package sqltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

var (
	server  = sync.OnceValues(func() (string, error) { return start("off") })
	durable = sync.OnceValues(func() (string, error) { return start("on") })
)

// keep holds our end of the server's pipe: collected as garbage, it would be closed and the server would stop.
var keep atomic.Pointer[io.WriteCloser]

// Server returns the URL of a PostgreSQL server whose user may create databases: the one in HUFU_TEST_DATABASE_URL, else one that this
// process starts on first use. A started server ends with the process: it runs in the foreground of a shell that waits
// for our end of a pipe to close, so that it goes also when a test binary is killed.
func Server() (string, error) { return server() }

// Durable is Server with fsync on, as in production, for measuring: a commit costs then what it costs.
func Durable() (string, error) { return durable() }

func start(fsync string) (string, error) {
	if u := os.Getenv("HUFU_TEST_DATABASE_URL"); u != "" {
		return u, nil
	}
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	cred, err := unprivileged()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "hufu-pg-")
	if err != nil {
		return "", err
	}
	if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return "", err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=trust", "--username=hufu", "--encoding=UTF8", "--locale=C", "-D", data)
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	// The read blocks until this process is gone; then the server is stopped and its files go.
	script := `"$1" -D "$2" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$4" -c fsync="$5" -c max_connections=400 -c shared_buffers=64MB >"$4/log" 2>&1 &
		pid=$!; read -r _; kill -INT $pid; wait $pid; rm -rf "$4"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", filepath.Join(bin, "postgres"), data, strconv.Itoa(port), dir, fsync)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	keep.Store(&lifeline)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	dsn := fmt.Sprintf("postgres://hufu@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := reachable(dsn); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return "", fmt.Errorf("%w: %s", err, log)
	}
	return dsn, nil
}

// binaries finds the newest installed server.
func binaries() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	dirs = append(dirs, "/usr/pgsql/bin", "/opt/homebrew/bin", "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin")
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "postgres")); err == nil {
			if _, err := os.Stat(filepath.Join(d, "initdb")); err == nil {
				return d, nil
			}
		}
	}
	return "", errors.New("no postgres and initdb found; install the server (Debian: postgresql) or set HUFU_TEST_DATABASE_URL")
}

func version(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// unprivileged returns whom to run as: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is no user postgres or nobody to run PostgreSQL as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// reachable waits until the server answers a query: it opens its port while it still starts up.
func reachable(dsn string) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for {
		db, err := sqlstore.Open(ctx, dsn)
		if err == nil {
			return db.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		}
		time.Sleep(25 * time.Millisecond)
	}
}
