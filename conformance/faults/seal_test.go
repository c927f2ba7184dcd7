//go:build conformance

package faults_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/signing/jades"
)

// inAYear is a day that a seal may end with.
func inAYear() string { return time.Now().AddDate(1, 0, -1).Format(time.DateOnly) }

// sealed is the answer to a request to seal.
type sealed struct {
	Seal string
	Use  struct {
		RequestID string `json:"request_id"`
		SHA256    string
	}
	Repeated  bool
	Signature string
	protected string
}

// readSealed reads an answer and verifies the signature in it.
func readSealed(t *testing.T, body string) (s sealed) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	p, err := jades.Parse([]byte(s.Signature))
	if err == nil {
		_, err = p.Verify()
	}
	if err != nil {
		t.Fatalf("a signature of the server: %v", err)
	}
	s.protected = string(p.Protected())
	return s
}

// payloadHash is the SHA-256 of a credential's payload in hex; "" if it can't be read.
func payloadHash(credential string) string {
	parts := strings.Split(credential, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

// alreadyDecided: an approval whose answer was lost had been done.
func alreadyDecided(err error) bool { return strings.Contains(err.Error(), "already_decided") }

// checkUses holds the records against the headers that were signed, by request id: each has its record, and that is what was signed.
func checkUses(t *testing.T, db *sqlstore.DB, signed map[string]string) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT request_id, protected FROM seal_uses`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	recorded := map[string]string{}
	for rows.Next() {
		var id, protected string
		if err := rows.Scan(&id, &protected); err != nil {
			t.Fatal(err)
		}
		if _, twice := recorded[id]; twice {
			t.Errorf("S12: two records for the request id %s", id)
		}
		recorded[id] = protected
	}
	for id, protected := range signed {
		switch {
		case recorded[id] == "":
			t.Errorf("a signature without its record: %s", id)
		case recorded[id] != protected:
			t.Errorf("the record of %s is not what was signed", id)
		}
	}
}
