package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

// started migrates, serves once so that all keys are made, and stops.
func started(t *testing.T) (config string) {
	t.Helper()
	file, addr, pool := serveConfig(t)
	if code, _, errOut := hufu(t, t.Context(), "migrate", "--config", file); code != 0 {
		t.Fatal(errOut)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); hufu(t, ctx, "serve", "--config", file) }()
	waitTLS(t, addr, pool)
	time.Sleep(2500 * time.Millisecond) // one round of the audit chain
	stop()
	<-done
	return file
}

func TestKeysRotateIsDryUntilToldAndPublishesBeforeUse(t *testing.T) {
	file := started(t)
	count := func(state string) (n int) {
		code, out, errOut := hufu(t, t.Context(), "keys", "list", "--config", file)
		if code != 0 {
			t.Fatal(errOut)
		}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "oidc" && f[1] == state {
				n++
			}
		}
		return n
	}
	if count("active") != 1 || count("next") != 0 {
		t.Fatal("a fresh server has one active key")
	}
	if code, out, _ := hufu(t, t.Context(), "keys", "rotate", "oidc", "--config", file); code != 0 || !strings.Contains(out, "Nothing was changed") || count("next") != 0 {
		t.Fatalf("without --yes: %d %s", code, out)
	}
	if code, _, errOut := hufu(t, t.Context(), "keys", "rotate", "oidc", "--yes", "--config", file); code != 0 || count("next") != 1 || count("active") != 1 {
		t.Fatalf("publishing: %d %s", code, errOut)
	}
	if code, _, errOut := hufu(t, t.Context(), "keys", "rotate", "oidc", "--yes", "--config", file); code != 1 || !strings.Contains(errOut, "too short a time") || count("retired") != 0 {
		t.Fatalf("using it before verifiers can know it: %d %s", code, errOut)
	}
	if code, _, errOut := hufu(t, t.Context(), "keys", "rotate", "oidc", "--yes", "--force", "--config", file); code != 0 || count("active") != 1 || count("retired") != 1 {
		t.Fatalf("forced: %d %s", code, errOut)
	}
	if code, _, errOut := hufu(t, t.Context(), "keys", "rotate", "nothing", "--yes", "--config", file); code != 1 || !strings.Contains(errOut, "no purpose") {
		t.Fatalf("an unknown purpose: %d %s", code, errOut)
	}
}

func TestU05AuditVerifyNamesAnAlteredEvent(t *testing.T) {
	file := started(t)
	code, out, errOut := hufu(t, t.Context(), "audit", "verify", "--config", file)
	if code != 0 || !strings.Contains(out, "whole") || strings.Contains(out, " 0 events") {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	db, err := sqlstore.Open(t.Context(), databaseOf(t, file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), `UPDATE audit_events SET actor = 'somebody else' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := hufu(t, t.Context(), "audit", "verify", "--config", file); code != 2 || !strings.Contains(errOut, "event 2") {
		t.Fatalf("an altered event: %d %s", code, errOut)
	}
}

// T08: one command takes a stolen key out of use; each refused call differs in one thing from the one that is obeyed.
func TestT08KeysRevoke(t *testing.T) {
	file := started(t)
	const purpose, since = "credential/1199440000TRY002X9", "2026-11-26T08:00:00+08:00"
	active := func() string {
		code, out, errOut := hufu(t, t.Context(), "keys", "list", "--config", file)
		if code != 0 {
			t.Fatal(errOut)
		}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) == 5 && f[0] == purpose && f[1] == "active" {
				return f[4]
			}
		}
		t.Fatalf("no active key:\n%s", out)
		return ""
	}
	stolen := active()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"dry":              {[]string{purpose, "--compromised-at", since}, 0, "Nothing was changed"},
		"without a time":   {[]string{purpose, "--yes"}, 1, "--compromised-at"},
		"in the future":    {[]string{purpose, "--compromised-at", "2126-11-26T08:00:00Z", "--yes"}, 1, "will be compromised"},
		"of nobody":        {[]string{"credential/x", "--compromised-at", since, "--yes"}, 1, "unknown purpose"},
		"a key of nobody":  {[]string{purpose, "--compromised-at", since, "--yes", "--key", "x"}, 1, "not found"},
		"the root of all":  {[]string{"bundle-root", "--compromised-at", since, "--yes"}, 1, "rotate it first"},
		"without a person": {nil, 1, "accepts 1 arg"},
	} {
		code, out, errOut := hufu(t, t.Context(), append([]string{"keys", "revoke", "--config", file}, c.args...)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) || active() != stolen {
			t.Errorf("%s: %d %s%s", name, code, out, errOut)
		}
	}
	code, out, errOut := hufu(t, t.Context(), "keys", "revoke", purpose, "--compromised-at", since, "--yes", "--config", file)
	if code != 0 || !strings.Contains(out, "revoked "+stolen) || !strings.Contains(out, "created "+active()) || active() == stolen {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}
