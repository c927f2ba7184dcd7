package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// tool is something beyond Go that tests need.
type tool struct {
	name     string
	present  func() bool
	packages []string // Debian's names
	// more brings what Debian's package is too old for; nil when there is nothing more to try.
	more func(ctx context.Context) error
}

var (
	postgres = tool{name: "PostgreSQL", packages: []string{"postgresql"}, present: func() bool {
		for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/local/bin/postgres", "/opt/homebrew/bin/postgres", "/usr/bin/postgres"} {
			if found, _ := filepath.Glob(pattern); len(found) > 0 {
				return true
			}
		}
		return os.Getenv("HUFU_TEST_DATABASE_URL") != ""
	}}
	node = tool{name: "Node.js 20 or later and npm", packages: []string{"nodejs", "npm"}, more: newerNode, present: func() bool {
		out, err := exec.Command("node", "--version").Output()
		if err != nil {
			return false
		}
		major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
		n, err := strconv.Atoi(major)
		_, npm := exec.LookPath("npm")
		return err == nil && n >= 20 && npm == nil
	}}
	python = tool{name: "Python 3 with venv", packages: []string{"python3", "python3-venv"}, present: func() bool {
		return exec.Command("python3", "-c", "import venv, ensurepip").Run() == nil
	}}
	java = tool{name: "a JDK 17 or later and Maven", packages: []string{"default-jdk-headless", "maven"}, present: func() bool {
		out, err := exec.Command("javac", "-version").Output() // "javac 17.0.15"
		if err != nil {
			return false
		}
		major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "javac "), ".")
		n, err := strconv.Atoi(major)
		_, maven := exec.LookPath("mvn")
		return err == nil && n >= 17 && maven == nil
	}}
	chromium = tool{name: "Chromium and a Chinese font", packages: []string{"chromium", "fonts-noto-cjk"}, present: func() bool {
		_, err := exec.LookPath("chromium")
		fonts, _ := filepath.Glob("/usr/share/fonts/opentype/noto/NotoSansCJK*")
		return err == nil && len(fonts) > 0
	}}
)

// provide installs what is missing, where that can be done without asking: as root on a Debian system.
func provide(ctx context.Context, tools []tool) error {
	var missing, names []string
	for _, t := range tools {
		if !t.present() {
			missing = append(missing, t.packages...)
			names = append(names, t.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	what := fmt.Sprintf("missing: %s (Debian packages: %s)", strings.Join(names, ", "), strings.Join(missing, " "))
	if _, err := exec.LookPath("apt-get"); runtime.GOOS != "linux" || os.Geteuid() != 0 || err != nil {
		return errors.New(what + "; install them, or run this as root on Debian")
	}
	fmt.Println(what)
	if err := run(ctx, ".", "apt-get", "-qq", "update"); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	install := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "-y", "--no-install-recommends"}, missing...)
	if err := run(ctx, ".", "env", install...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, t := range tools {
		if !t.present() && t.more != nil {
			if err := t.more(ctx); err != nil {
				return err
			}
		}
		if !t.present() {
			return fmt.Errorf("%s is still missing after installing %s", t.name, strings.Join(t.packages, " "))
		}
	}
	return nil
}

// newerNode puts a Node.js that is new enough first on the path: the distribution's may be older than the clients need, but its npm can bring one, as a
// package that carries the binary.
func newerNode(ctx context.Context) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	dir, name := filepath.Join(cache, "hufu", "node"), "node-linux-"+arch
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := run(ctx, dir, "npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", dir, name+"@22.23.3"); err != nil {
		return fmt.Errorf("bringing a newer Node.js: %w", err)
	}
	return os.Setenv("PATH", filepath.Join(dir, "node_modules", name, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}
