package walletcmd_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/internal/apptest"
)

// An authority that releases by hand lets a wallet wait; `hufu wallet fetch` brings the copies once it has.
func TestWalletWaitsForTheAuthority(t *testing.T) {
	s := newShell(t, apptest.Options{Args: []string{"--release-by-hand"}})
	key, err := deptclient.ReadKey(s.app.Ready.Departments[0].KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	police, err := deptclient.New(key, s.app.Ready.Issuer, "register")
	if err != nil {
		t.Fatal(err)
	}
	decide := func(licence, state string) {
		t.Helper()
		body, _ := json.Marshal(map[string]string{"licence": licence, "state": state, "reason": "the photograph is too old"})
		if err := police.Call(t.Context(), http.MethodPost, "/register/v1/releases", "application/json", body, &struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	o := s.offer()
	first := read[struct{ Pending struct{ ID, State string } }](t, s.ok("wallet", "accept", o.URI, "--tx-code", o.TxCode, "--json", "--copies", "2", "--encrypt"))
	if first.Pending.ID == "" || first.Pending.State != "pending" {
		t.Fatalf("%+v", first)
	}
	s.refused(1, "not here yet", "wallet", "present", first.Pending.ID, "--nonce", "n", "--audience", "a", "--show", "name")
	if again := read[struct{ Pending struct{ ID string } }](t, s.ok("wallet", "fetch", first.Pending.ID, "--json")); again.Pending.ID != first.Pending.ID {
		t.Errorf("%+v", again)
	}
	var list struct {
		Releases []struct{ Licence, State string }
	}
	if err := police.Call(t.Context(), http.MethodGet, "/register/v1/releases", "", nil, &list); err != nil || len(list.Releases) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	decide(list.Releases[0].Licence, "refused")
	if code, out, _ := s.hufu("wallet", "fetch", first.Pending.ID, "--json"); code == 0 {
		t.Errorf("after a refusal: %s", out)
	}
	decide(list.Releases[0].Licence, "released")
	got := read[taken](t, s.ok("wallet", "fetch", first.Pending.ID, "--json"))
	if got.Taken.ID != first.Pending.ID || got.Taken.Copies != 2 {
		t.Errorf("%+v", got)
	}
	s.refused(1, "here already", "wallet", "fetch", first.Pending.ID)
	s.ok("wallet", "present", got.Taken.ID, "--nonce", "n", "--audience", "https://v.example", "--show", "name", "--out", "p.txt")
	if code, out := s.verdict("p.txt", "--nonce", "n", "--audience", "https://v.example"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
}
