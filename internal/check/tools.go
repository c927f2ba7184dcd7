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
}

var (
	postgres = tool{"PostgreSQL", func() bool {
		for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/local/bin/postgres", "/opt/homebrew/bin/postgres", "/usr/bin/postgres"} {
			if found, _ := filepath.Glob(pattern); len(found) > 0 {
				return true
			}
		}
		return os.Getenv("HUFU_TEST_DATABASE_URL") != ""
	}, []string{"postgresql"}}
	node = tool{"Node.js 20 or later and npm", func() bool {
		out, err := exec.Command("node", "--version").Output()
		if err != nil {
			return false
		}
		major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
		n, err := strconv.Atoi(major)
		_, npm := exec.LookPath("npm")
		return err == nil && n >= 20 && npm == nil
	}, []string{"nodejs", "npm"}}
	python = tool{"Python 3 with venv", func() bool {
		return exec.Command("python3", "-c", "import venv, ensurepip").Run() == nil
	}, []string{"python3", "python3-venv"}}
	chromium = tool{"Chromium and a Chinese font", func() bool {
		_, err := exec.LookPath("chromium")
		fonts, _ := filepath.Glob("/usr/share/fonts/opentype/noto/NotoSansCJK*")
		return err == nil && len(fonts) > 0
	}, []string{"chromium", "fonts-noto-cjk"}}
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
		if !t.present() {
			return fmt.Errorf("%s is still missing after installing %s", t.name, strings.Join(t.packages, " "))
		}
	}
	return nil
}
