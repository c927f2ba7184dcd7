package node

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// A server whose database knows less than its journal doesn't start; it starts when nothing was forgotten.
func TestAServerOverARestoredDatabaseDoesNotStart(t *testing.T) {
	kek, _ := keys.NewKEK()
	dir := t.TempDir()
	o := Options{KEK: kek, Migrate: true, AllowHTTP: true, Config: Config{Origin: testOrigin, Database: "sqlite:" + filepath.Join(dir, "hufu.db"),
		RevocationJournal: filepath.Join(dir, "journal"),
		Authorities:       []AuthorityConfig{{Code: "1199440000TRY002X9", NameZH: "沙箱省公安厅交通管理局", NameEN: "Sandbox Traffic Police", Types: []string{"driving-licence"}}}}}
	start := func() (*Node, error) {
		n, err := Open(t.Context(), o)
		if err == nil {
			t.Cleanup(n.Close)
		}
		return n, err
	}
	n, err := start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.status.Allocate(t.Context(), "a", "1", "driving-licence", time.Now().AddDate(0, 3, 0)); err != nil {
		t.Fatal(err)
	}
	if err := n.status.SetForLicence(t.Context(), "a", status.Invalid); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	if err := journal.Read(o.RevocationJournal, testOrigin, func(l journal.Line) error {
		kinds = append(kinds, l.Kind)
		return nil
	}); err != nil || len(kinds) != 4 {
		t.Fatalf("%v, %v", kinds, err)
	}
	n.Close()
	if n, err = start(); err != nil {
		t.Fatalf("with all that the journal knows: %v", err)
	}
	if _, err := n.db.Exec(t.Context(), `DELETE FROM status_entries`); err != nil {
		t.Fatal(err)
	}
	n.Close()
	if _, err := start(); !errors.Is(err, status.ErrRestored) {
		t.Fatalf("over an older database: %v", err)
	}
}
