// Command floor is the least that an OpenID Provider's hot paths can cost in Go on PostgreSQL: it parses the request, compares the secret's hash, makes one
// statement, signs. It checks nothing else, and is no server for anybody. bench runs it beside hufu, so that both are measured in one run.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const schema = `CREATE TABLE IF NOT EXISTS floor_tokens (id TEXT PRIMARY KEY, client TEXT NOT NULL, expires BIGINT NOT NULL)`

type server struct {
	db     *pgxpool.Pool
	key    *ecdsa.PrivateKey
	secret [32]byte
	static []byte
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// run takes the database's URL, the client's secret and the size of the discovery document from its arguments, and prints its address.
func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: floor DATABASE SECRET BYTES")
	}
	ctx := context.Background()
	db, err := pgxpool.New(ctx, os.Args[1])
	if err != nil {
		return err
	}
	if _, err := db.Exec(ctx, schema); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	size := 0
	if _, err := fmt.Sscan(os.Args[3], &size); err != nil {
		return err
	}
	s := &server{db: db, key: key, secret: sha256.Sum256([]byte(os.Args[2])), static: []byte(strings.Repeat("x", size))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /discovery", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.static) })
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /introspect", s.introspect)
	mux.HandleFunc("POST /refresh", s.refresh)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, mux)
}

func (s *server) known(r *http.Request) bool {
	_, secret, ok := r.BasicAuth()
	sum := sha256.Sum256([]byte(secret))
	return ok && r.ParseForm() == nil && subtle.ConstantTimeCompare(sum[:], s.secret[:]) == 1
}

func (s *server) sign() (string, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"floor"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iss":"https://id.example","sub":"client:x","aud":"https://api.example","client_id":"x","jti":%q,"exp":%d}`,
			hex.EncodeToString(id[:]), time.Now().Add(5*time.Minute).Unix()))
	sum := sha256.Sum256([]byte(input))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), err
}

// answer writes what was made, or the error.
func answer(w http.ResponseWriter, err error, text string) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","active":true}`, text)
}

// token records one row and signs one token.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	if !s.known(r) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	_, err := s.db.Exec(r.Context(), `INSERT INTO floor_tokens (id, client, expires) VALUES ($1, $2, $3)`, hex.EncodeToString(id[:]), "x", time.Now().UnixMicro())
	if err != nil {
		answer(w, err, "")
		return
	}
	token, err := s.sign()
	answer(w, err, token)
}

// introspect looks one row up.
func (s *server) introspect(w http.ResponseWriter, r *http.Request) {
	if !s.known(r) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	var n int
	err := s.db.QueryRow(r.Context(), `SELECT COUNT(*) FROM floor_tokens WHERE id = $1`, r.PostForm.Get("token")).Scan(&n)
	answer(w, err, "")
}

// refresh replaces one row by another in one statement and signs two tokens.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	if !s.known(r) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	_, err := s.db.Exec(r.Context(), `WITH old AS (DELETE FROM floor_tokens WHERE id = $1) INSERT INTO floor_tokens (id, client, expires) VALUES ($2, $3, $4)`,
		r.PostForm.Get("refresh_token"), hex.EncodeToString(id[:]), "x", time.Now().UnixMicro())
	if err != nil {
		answer(w, err, "")
		return
	}
	access, err1 := s.sign()
	_, err2 := s.sign()
	if err1 == nil {
		err1 = err2
	}
	answer(w, err1, access)
}
