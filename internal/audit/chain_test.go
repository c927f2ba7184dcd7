package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

// The signature is checked elsewhere; here it is the payload in brackets.
func sign(_ context.Context, payload []byte) (string, error) { return "<" + string(payload) + ">", nil }

func unsign(jws string) ([]byte, error) {
	if len(jws) < 2 || jws[0] != '<' {
		return nil, errors.New("bad signature")
	}
	return []byte(jws[1 : len(jws)-1]), nil
}

func TestVerifyNamesTheFirstAlteredEvent(t *testing.T) { // U05
	tamper := map[string]string{
		"nothing": "",
		"delete":  `DELETE FROM audit_events WHERE seq = 5`,
		"edit":    `UPDATE audit_events SET actor = 'x' WHERE seq = 5`,
		"swap":    `UPDATE audit_events SET detail = '{"n":"6"}' WHERE seq = 5`,
		"cut":     `DELETE FROM audit_events WHERE seq >= 5`,
		"forge":   `UPDATE audit_heads SET chain = 'x' WHERE seq = (SELECT MAX(seq) FROM audit_heads)`,
	}
	for name, stmt := range tamper {
		t.Run(name, func(t *testing.T) {
			sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
				chainer := &audit.Chainer{Store: sqlstore.AuditChain{DB: db}, Sign: sign, Now: time.Now}
				for i := range 8 {
					if err := db.Audit(t.Context(), audit.Event{Kind: "test.done", Actor: "a", Detail: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
						t.Fatal(err)
					}
					if i%3 == 2 {
						if err := chainer.Run(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := chainer.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if stmt != "" {
					if _, err := db.Exec(t.Context(), stmt); err != nil {
						t.Fatal(err)
					}
				}
				n, err := audit.Verify(t.Context(), sqlstore.AuditChain{DB: db}, unsign)
				switch {
				case stmt == "" && (err != nil || n != 8):
					t.Fatalf("%d events hold: %v", n, err)
				case stmt != "" && !errors.Is(err, audit.ErrBroken):
					t.Fatalf("got %v, want ErrBroken", err)
				}
			})
		})
	}
}
