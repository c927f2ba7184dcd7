package issuer_test

import (
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

// BenchmarkCredentialRequest is one Credential Request over HTTP with its commit; BenchmarkSignature beside it is the raw cost that no
// implementation can avoid.
func BenchmarkCredentialRequest(b *testing.B) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			w := newWorld(b, sqltest.DSN(b, engine))
			for b.Loop() {
				b.StopTimer()
				bearer, body := w.personToken("loa3"), credentialBody(w.proof(nil))
				b.StartTimer()
				if a := w.request(bearer, body); a.status != 200 {
					b.Fatalf("%d %s", a.status, a.body)
				}
			}
		})
	}
}

func BenchmarkSignature(b *testing.B) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := jose.Sign(key, jose.Header{Typ: "dc+sd-jwt"}, make([]byte, 1024)); err != nil {
			b.Fatal(err)
		}
	}
}
