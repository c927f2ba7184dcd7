package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/kek"
)

// privateBytes opens every private key in the database by the KEK, as its raw scalar, seed or prime.
func privateBytes(t *testing.T, n *Node, key [32]byte) map[string][]byte {
	t.Helper()
	sealer, err := kek.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := n.db.Query(t.Context(), `SELECT purpose, id, handle FROM key_records WHERE handle <> '' UNION ALL
		SELECT 'ca/' || kind, id, handle FROM key_authorities UNION ALL SELECT class || '/' || thing, id, handle FROM key_singles WHERE handle <> ''`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]byte{}
	for rows.Next() {
		var purpose, id, handle string
		if err := rows.Scan(&purpose, &id, &handle); err != nil {
			t.Fatal(err)
		}
		der, err := sealer.Open("key", purpose+"\x00"+id, handle)
		if purpose == string(keys.CredentialRequest) {
			der, err = sealer.Open("agreement", purpose+"\x00"+id, handle)
		}
		if err != nil {
			t.Fatalf("%s: %v", purpose, err)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatalf("%s: %v", purpose, err)
		}
		switch k := parsed.(type) {
		case *ecdsa.PrivateKey:
			if out[purpose], err = k.Bytes(); err != nil {
				t.Fatal(err)
			}
		case ed25519.PrivateKey:
			out[purpose] = k.Seed()
		case *rsa.PrivateKey:
			out[purpose] = k.Primes[0].Bytes()
		default:
			t.Fatalf("%s: %T", purpose, parsed)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// spelt are the ways in which bytes may stand in a text.
func spelt(b []byte) [][]byte {
	return [][]byte{b, []byte(hex.EncodeToString(b)), []byte(base64.RawURLEncoding.EncodeToString(b)), []byte(base64.RawStdEncoding.EncodeToString(b)),
		[]byte(strings.ToUpper(hex.EncodeToString(b)))}
}

// T03: not one private key of this server, of whatever purpose, is in any answer of any route, in the trust bundle, in a copy of the database, or in the log:
// searched for by its very bytes, in every spelling.
func TestT03NoPrivateKeyIsAnywhere(t *testing.T) {
	key, _ := keys.NewKEK()
	file := filepath.Join(t.TempDir(), "hufu.db")
	var log bytes.Buffer
	n, err := Open(t.Context(), Options{KEK: key, Migrate: true, AllowHTTP: true, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Config: Config{
		Origin: testOrigin, Database: "sqlite:" + file,
		Authorities: []AuthorityConfig{{Code: "1199440000TRY002X9", NameZH: "沙箱省公安厅交通管理局", NameEN: "Sandbox Traffic Police", Types: []string{"driving-licence"}}},
		SealMakers:  []SealMakerConfig{{Code: "91990000MA9TRY042P", NameZH: "沙箱印章制作中心", NameEN: "Sandbox Seal Makers"}},
		Provinces:   []ProvinceConfig{{Code: "440000", Issuer: "http://localhost:1", ClientID: "national", Ceiling: "loa4", Levels: map[string]string{"x": "loa4"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if _, err := n.keys.EnsureSingle(t.Context(), keys.ClassHolder, "a", keys.SingleSpec{}); err != nil {
		t.Fatal(err)
	}
	if err := n.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	private := privateBytes(t, n, key)
	for _, p := range []keys.Purpose{keys.CredentialRequest, keys.DocumentSigner("1199440000TRY002X9"), keys.Credential("1199440000TRY002X9"), keys.OIDC, keys.OIDCRS256, keys.Status,
		"ca/root", "ca/iaca", "holder/a", keys.BundleRoot} {
		if len(private[string(p)]) < 32 {
			t.Errorf("no key of %s: the search would find nothing", p)
		}
	}
	places := map[string][]byte{}
	for _, r := range routes(t, n) {
		rec := httptest.NewRecorder()
		n.Handler().ServeHTTP(rec, httptest.NewRequest(r.method, testOrigin+r.path, nil))
		places[r.method+" "+r.path] = rec.Body.Bytes()
	}
	if err := n.keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.db.Exec(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	if places["the database"], err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	places["the log"] = log.Bytes()
	begin := time.Now()
	for place, text := range places {
		for purpose, b := range private {
			for _, spelling := range spelt(b) {
				if bytes.Contains(text, spelling) {
					t.Errorf("%s holds the key of %s", place, purpose)
				}
			}
		}
	}
	t.Logf("%d keys in %d places, %s", len(private), len(places), time.Since(begin).Round(time.Millisecond))
	if !bytes.Contains(places["the database"], []byte("v1.")) || len(places["GET /bundle.zip"]) < 10_000 {
		t.Error("the places are empty: nothing was searched")
	}
}
