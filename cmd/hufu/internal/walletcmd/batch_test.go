package walletcmd_test

import (
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

var configurations = []string{"driving-licence", "driving-licence.mdoc"}

// take takes copies by a new offer.
func (s *shell) take(configuration string, args ...string) taken {
	s.t.Helper()
	o := s.offer()
	return read[taken](s.t, s.ok(append([]string{"wallet", "accept", o.URI, "--tx-code", o.TxCode, "--json", "--configuration", configuration}, args...)...))
}

// TestCopiesOfABatchCannotBeLinked is the gate: real batches of both formats, from the running server, with no finding. What chance does once in a thousand batches it
// doesn't do twice.
func TestCopiesOfABatchCannotBeLinked(t *testing.T) {
	s := newShell(t, apptest.Options{})
	for _, configuration := range configurations {
		for try := 1; ; try++ {
			got := s.take(configuration, "--copies", "10")
			if got.Taken.Copies != 10 {
				t.Fatalf("%d copies", got.Taken.Copies)
			}
			code, out, said := s.hufu("wallet", "linkable", got.Taken.ID)
			if code == 3 && try == 1 {
				t.Logf("%s, once more: %s", configuration, out)
				continue
			}
			if code != 0 {
				t.Errorf("%s: %d %s%s", configuration, code, out, said)
			}
			break
		}
	}
}

// Every way of asking brings copies that hufu verify takes, in both formats.
func TestWalletTakesBothFormatsInEveryWay(t *testing.T) {
	s := newShell(t, apptest.Options{})
	var file string
	for _, configuration := range configurations {
		for name, args := range map[string][]string{"plain": nil, "encrypted": {"--encrypt"}, "details": {"--details"}, "bearer": {"--bearer"}, "all": {"--encrypt", "--details", "--copies", "3"}} {
			got := s.take(configuration, args...)
			file = strings.ReplaceAll(configuration+"-"+name, ".", "-") + ".txt"
			s.ok("wallet", "present", got.Taken.ID, "--nonce", "n", "--audience", "https://v.example", "--show", "family_name", "--out", file)
			if code, out := s.verdict(file, "--nonce", "n", "--audience", "https://v.example"); code != 0 {
				t.Errorf("%s, %s: %d %s", configuration, name, code, out)
			}
		}
		if code, out := s.verdict(file, "--nonce", "another", "--audience", "https://v.example"); code != 2 {
			t.Errorf("%s, another nonce: %d %s", configuration, code, out)
		}
	}
}

// Each copy is shown once, the wallet says when it is the last, and two copies show the same.
func TestCopiesAreUsedUp(t *testing.T) {
	s := newShell(t, apptest.Options{})
	got := s.take("driving-licence", "--copies", "2")
	present := func(want string) {
		t.Helper()
		code, out, said := s.hufu("wallet", "present", "--nonce", "n", "--audience", "a", "--show", "name")
		if code != 0 || out == "" || !strings.Contains(said, want) {
			t.Errorf("%d %q, not %q", code, said, want)
		}
	}
	present("1 left")
	present("LAST copy")
	s.refused(1, "shown already", "wallet", "present", got.Taken.ID, "--nonce", "n", "--audience", "a", "--show", "name")
}

// A refresh brings new copies without an offer and without the person; the old ones are marked. Without a refresh token there is none.
func TestWalletRefreshesItsCopies(t *testing.T) {
	s := newShell(t, apptest.Options{})
	for _, p := range s.app.Ready.WalletProviders {
		address, wait := s.background("wallet", "accept", "--issuer", s.app.Ready.CredentialIssuers[0], "--configuration", "driving-licence", "--provider", p.Dir, "--copies", "2", "--json")
		apptest.NewBrowser(t).Get(address).LogIn(s.app.Person("li-xiuying")).Click("consent-allow")
		code, out, said := wait()
		if code != 0 {
			t.Fatalf("%d %s %s", code, out, said)
		}
		first := read[taken](t, out)
		second := read[taken](t, s.ok("wallet", "refresh", first.Taken.ID, "--provider", p.Dir, "--json"))
		if second.Taken.ID == first.Taken.ID || second.Taken.Copies != 2 || second.Taken.Left != 2 {
			t.Errorf("%s: %+v", p.Form, second)
		}
		if list := s.ok("wallet", "list"); !strings.Contains(list, "replaced by newer copies") {
			t.Errorf("%s: %s", p.Form, list)
		}
		s.refused(1, "was replaced by "+second.Taken.ID, "wallet", "refresh", first.Taken.ID, "--provider", p.Dir)
	}
	s.refused(1, "gave no refresh token", "wallet", "refresh", s.take("driving-licence").Taken.ID)
}
