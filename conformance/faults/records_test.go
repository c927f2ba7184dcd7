//go:build conformance

package faults_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/signing/mdoc"
)

// issued is the part of a credential that its record must match.
type issued struct {
	Status struct {
		List struct {
			URI   string `json:"uri"`
			Index int64  `json:"idx"`
		} `json:"status_list"`
	} `json:"status"`
	hash string
}

func readIssued(t *testing.T, credential string) issued {
	t.Helper()
	if !strings.Contains(credential, "~") {
		return readDocument(t, credential)
	}
	jwt, _, _ := strings.Cut(credential, "~")
	parts := strings.Split(jwt, ".")
	var out issued
	if len(parts) != 3 {
		t.Fatalf("%.60q is no SD-JWT", credential)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &out)
	}
	if err != nil || out.Status.List.URI == "" {
		t.Fatalf("%.60q can't be read: %v", credential, err)
	}
	sum := sha256.Sum256(payload)
	out.hash = base64.RawURLEncoding.EncodeToString(sum[:])
	return out
}

// readDocument is readIssued for an mdoc: what is recorded is its MSO.
func readDocument(t *testing.T, credential string) (out issued) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(credential)
	if err != nil {
		t.Fatalf("%.60q is neither an SD-JWT nor an mdoc: %v", credential, err)
	}
	p, err := mdoc.ParseIssuerSigned(raw)
	if err != nil {
		t.Fatalf("%.60q can't be read: %v", credential, err)
	}
	place, ok := p.UnverifiedStatus()
	if !ok {
		t.Fatalf("%.60q names no status", credential)
	}
	out.Status.List.URI, out.Status.List.Index = place.URI, place.Index
	sum := sha256.Sum256(p.MSO())
	out.hash = base64.RawURLEncoding.EncodeToString(sum[:])
	return out
}

// record is a row of issuer_issuances.
type record struct{ id, offer, hash string }

// checkIssuances holds the database against the credentials that somebody received: each has the record that was written before it was
// signed, no status index is used twice, and every index belongs to a record.
func checkIssuances(t *testing.T, db *sqlstore.DB, received []string) map[string]record {
	t.Helper()
	ctx := context.Background()
	type place struct {
		uri   string
		index int64
	}
	rows, err := db.Query(ctx, `SELECT id, offer_id, payload_hash, status_uri, status_index FROM issuer_issuances`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	records, places := map[string]record{}, map[place]record{}
	for rows.Next() {
		var r record
		var p place
		if err := rows.Scan(&r.id, &r.offer, &r.hash, &p.uri, &p.index); err != nil {
			t.Fatal(err)
		}
		if other, twice := places[p]; twice {
			t.Errorf("status index %d of %s is used by %s and %s", p.index, p.uri, other.id, r.id)
		}
		places[p], records[r.id] = r, r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	seen, byText := map[string]bool{}, map[string]record{}
	for _, text := range received {
		c := readIssued(t, text)
		r, recorded := places[place{c.Status.List.URI, c.Status.List.Index}]
		switch {
		case !recorded:
			t.Errorf("a credential at index %d of %s was signed and is not recorded", c.Status.List.Index, c.Status.List.URI)
		case r.hash != c.hash:
			t.Errorf("the record %s is of another credential than was signed", r.id)
		case seen[r.id]:
			t.Errorf("the record %s stands for two credentials", r.id)
		}
		seen[r.id], byText[text] = true, r
	}
	checkEntries(t, db, records)
	if n, sets := count(t, db, `SELECT COUNT(*) FROM audit_events WHERE kind = 'issuer.credential_recorded'`), count(t, db, `SELECT COUNT(*) FROM issuer_sets`); n != sets {
		t.Errorf("the trail knows %d answers, the records are %d", n, sets)
	}
	if n := count(t, db, `SELECT CAST(COALESCE(SUM(copies), 0) AS BIGINT) FROM issuer_sets`); n != int64(len(records)) {
		t.Errorf("the answers have %d copies, the records are %d", n, len(records))
	}
	return byText
}

// checkEntries holds status entries against issuance records: one each.
func checkEntries(t *testing.T, db *sqlstore.DB, records map[string]record) {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT list_id, idx, issuance_id FROM status_entries`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	entries := map[string]bool{}
	for rows.Next() {
		var list, issuance string
		var index int64
		if err := rows.Scan(&list, &index, &issuance); err != nil {
			t.Fatal(err)
		}
		if _, known := records[issuance]; !known {
			t.Errorf("index %d of list %s belongs to no record", index, list)
		}
		if entries[issuance] {
			t.Errorf("the record %s has two status entries", issuance)
		}
		entries[issuance] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(records) {
		t.Errorf("%d status entries for %d records", len(entries), len(records))
	}
}
