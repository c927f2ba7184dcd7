// Package wallet is a software wallet for `hufu wallet`, hufu demo and tests. IT IS FOR TESTING ONLY: its keys live in memory and, if
// asked, in plain files; nothing protects them. A wallet for people keeps keys in hardware.
//
// It knows the issuer only by OpenID4VCI 1.0: it reads metadata, takes an offer by Pre-Authorized Code and Transaction Code or logs
// its person in by authorization code (PAR, PKCE, DPoP, wallet attestation), proves its keys, takes copies at once or later, encrypted or not, checks
// what it gets, and shows it with selective disclosure and the holder's proof (RFC 9901, ISO 18013-5).
package wallet

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// Options say what a Wallet is. The zero value is an anonymous wallet that can take offers by Pre-Authorized Code.
type Options struct {
	// HTTP does the requests; a client with a timeout of 10 s when nil. Redirects are never followed.
	HTTP *http.Client
	// Safe does the requests instead of HTTP, when set.
	Safe *httpx.Client
	// ClientID and RedirectURI are those of a public client at the authorization server, for the authorization code flow.
	ClientID, RedirectURI string
	// Alg is the algorithm of the keys: ES256 when empty, or EdDSA.
	Alg jose.Alg
	// DPoP binds access tokens to a key of the wallet (RFC 9449).
	DPoP bool
	// Attester attests the wallet and its keys; nil leaves both out. With one, ClientID is the attester's.
	Attester Attester
	// Encrypt asks for an encrypted Credential Response, and so encrypts the request, also where the issuer doesn't insist.
	Encrypt bool
	// Now is time.Now when nil.
	Now func() time.Time
}

// Attester is a wallet provider: it says of wallets and keys what they are.
type Attester interface {
	// ClientID is the wallet's client identifier, one for all instances.
	ClientID() string
	// Wallet returns a Client Attestation for one authorization server, over the instance's key (draft-ietf-oauth-attestation-based-client-auth).
	Wallet(instance jose.JWK) (string, error)
	// Proof returns the proof of possession by the instance's key. challenge may be "".
	Proof(instance jose.SigningKey, audience, challenge string) (string, error)
	// Keys returns a key attestation (OpenID4VCI 1.0, appendix D.1).
	Keys(keys []jose.JWK, nonce string) (string, error)
}

// Wallet is the wallet of one person. It is safe for concurrent use.
type Wallet struct {
	send                  func(*http.Request) (*httpx.Response, error)
	clientID, redirectURI string
	alg                   jose.Alg
	dpop, encrypt         bool
	attester              Attester
	now                   func() time.Time

	mu          sync.Mutex
	credentials []Credential
	nonces      map[string]string // DPoP nonces by origin
	challenges  map[string]string // attestation challenges by authorization server
	instances   map[string]jose.SigningKey
}

// New returns an empty wallet.
func New(o Options) *Wallet {
	w := &Wallet{clientID: o.ClientID, redirectURI: o.RedirectURI, alg: o.Alg, dpop: o.DPoP, encrypt: o.Encrypt, attester: o.Attester, now: o.Now,
		nonces: map[string]string{}, challenges: map[string]string{}, instances: map[string]jose.SigningKey{}}
	if w.send = plain(o.HTTP); o.Safe != nil {
		w.send = o.Safe.Do
	}
	if w.alg == "" {
		w.alg = jose.ES256
	}
	if w.attester != nil {
		w.clientID = w.attester.ClientID()
	}
	if w.now == nil {
		w.now = time.Now
	}
	return w
}

// Credentials returns what the wallet holds, the oldest first.
func (w *Wallet) Credentials() []Credential {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Credential(nil), w.credentials...)
}

func (w *Wallet) keep(c ...Credential) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.credentials = append(w.credentials, c...)
}

// ErrorResponse is a protocol error that a server answered.
type ErrorResponse struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *ErrorResponse) Error() string {
	return fmt.Sprintf("wallet: the server answered %d %s: %s", e.Status, e.Code, e.Description)
}

// ErrIssuer says that an issuer's metadata or credential is not what it must be.
var ErrIssuer = errors.New("wallet: the issuer's answer was refused")

// newKey makes a key of the wallet.
func (w *Wallet) newKey() (jose.SigningKey, error) { return jose.GenerateKey(w.alg) }

// bare is a key without kid and alg: a label would tell copies apart.
func bare(key jose.SigningKey) (jose.JWK, error) {
	pub, err := key.Public()
	if err != nil {
		return jose.JWK{}, err
	}
	return jose.FromPublic(pub.Public(), "", "")
}
