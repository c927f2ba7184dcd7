// Package claim knows what may be told about a person: the catalogue of claims, the scopes that ask for them, and the
// pairwise subject under which each sector knows her.
package claim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/hufu-id/hufu/web"
)

// ErrNoPerson: the person is unknown, suspended or gone. Nothing may be told about her any more.
var ErrNoPerson = errors.New("claim: no such person")

// Person is what is known about a person. Empty fields are unknown and are neither shown nor delivered.
type Person struct {
	Name        string
	Birthdate   string // ISO 8601, as OpenID Connect Core 5.1
	Gender      string // "female", "male" or another word
	PhoneNumber string // E.164 or national digits
	// PhoneVerified: the province says that it verified the number. It is told together with the number.
	PhoneVerified bool
	ResidentID    string // GB 11643
}

// Persons reads what is known about a person.
type Persons interface {
	// Claims joins the transaction in ctx. ErrNoPerson when there is nobody by this id who may log in.
	Claims(ctx context.Context, personID string) (Person, error)
}

// CredentialScopes are the scopes by which a wallet asks for a credential (OpenID4VCI section 5.1.2).
type CredentialScopes interface {
	// Lookup returns the credential issuers that accept a token of the scope, and the name of the credential.
	Lookup(scope string) (audience []string, title web.Text, ok bool)
}

// Scopes of OpenID Connect, and our own.
const (
	OpenID     = "openid"
	Profile    = "profile"
	Phone      = "phone"
	ResidentID = "resident_id"
	// OfflineAccess asks for a refresh token that outlives the login session (OpenID Connect Core section 11).
	OfflineAccess = "offline_access"
	// Register is the scope of the departments' register API, for client_credentials only.
	Register = "register"
	// Seal is the scope of the seals' API, for client_credentials only.
	Seal = "seal"
)

// byScope is the catalogue: which claims a scope asks for, in the order of the consent page.
var byScope = []struct {
	scope  string
	claims []string
}{
	{Profile, []string{"name", "gender", "birthdate"}},
	{Phone, []string{"phone_number"}},
	{ResidentID, []string{"resident_id"}},
}

// Scopes lists the scopes that people can be asked for, openid first.
func Scopes() []string {
	out := []string{OpenID, OfflineAccess}
	for _, s := range byScope {
		out = append(out, s.scope)
	}
	return out
}

// All lists every claim of the catalogue.
func All() []string {
	var out []string
	for _, s := range byScope {
		out = append(out, s.claims...)
	}
	return out
}

// Known says whether scope is one of Scopes.
func Known(scope string) bool { return slices.Contains(Scopes(), scope) }

// Of lists the claims that scopes ask for, in catalogue order.
func Of(scopes []string) []string {
	var out []string
	for _, s := range byScope {
		if slices.Contains(scopes, s.scope) {
			out = append(out, s.claims...)
		}
	}
	return out
}

// Value returns one claim of the catalogue, or "".
func (p Person) Value(claim string) string {
	switch claim {
	case "name":
		return p.Name
	case "gender":
		return p.Gender
	case "birthdate":
		return p.Birthdate
	case "phone_number":
		return p.PhoneNumber
	case "resident_id":
		return p.ResidentID
	}
	return ""
}

// Values returns the agreed claims that have a value, as they stand in an answer.
func (p Person) Values(agreed []string) map[string]any {
	out := map[string]any{}
	for _, c := range agreed {
		if v := p.Value(c); v != "" {
			out[c] = v
			if c == "phone_number" {
				out["phone_number_verified"] = p.PhoneVerified
			}
		}
	}
	return out
}

// Pairwise makes the identifiers by which a sector knows a person and a session. They are keyed hashes: nobody without the key can
// compute one, compare two, or find the person.
type Pairwise struct{ secret []byte }

// NewPairwise takes the 32-byte secret. It must never change: every subject of every client hangs on it.
func NewPairwise(secret []byte) (Pairwise, error) {
	if len(secret) < 32 {
		return Pairwise{}, errors.New("claim: the pairwise secret is shorter than 32 bytes")
	}
	return Pairwise{secret: slices.Clone(secret)}, nil
}

func (p Pairwise) mac(parts ...string) string {
	m := hmac.New(sha256.New, p.secret)
	for _, s := range parts {
		// Length before content: otherwise ("ab","c") and ("a","bc") would share a subject.
		m.Write([]byte{byte(len(s) >> 24), byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))})
		m.Write([]byte(s))
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Subject is the person's sub in a sector: 43 base64url characters (OpenID Connect Core 8.1).
func (p Pairwise) Subject(sector, personID string) string { return p.mac("sub", sector, personID) }

// SessionID is the sid of a session towards one client. It differs by client, because one sid for all would join what
// pairwise subjects keep apart.
func (p Pairwise) SessionID(clientID, session string) string {
	return p.mac("sid", clientID, session)[:22]
}
