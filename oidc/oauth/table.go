package oauth

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web/messages"
)

// Entry is what a client's developer is told of one refusal: what happened, and what to change.
type Entry struct {
	Code Code `json:"code"`
	// Description is the fixed text of the error; "" stands for every text of the code that has no entry of its own.
	Description string `json:"description"`
	// Anchor names the entry in addresses. It never changes: it is in logs and tickets.
	Anchor string `json:"anchor"`
	// Spec is the section that the refusal follows from, such as "RFC 6749 section 4.1.2.1".
	Spec  string        `json:"spec"`
	Cause messages.Text `json:"cause"`
	Fix   messages.Text `json:"fix"`
}

// One file for each part of the protocol. A test compares them with the errors that the code makes, so that whoever adds one writes its fix.
//
//go:embed table/*.json
var tableFiles embed.FS

var table, reasons = mustLoad()

func mustLoad() (all []Entry, why map[Reason]messages.Text) {
	names, err := fs.Glob(tableFiles, "table/*.json")
	for _, name := range names {
		var b []byte
		if b, err = tableFiles.ReadFile(name); err != nil {
			break
		}
		if name == "table/reasons.json" {
			err = json.Unmarshal(b, &why)
		} else {
			var part []Entry
			err = json.Unmarshal(b, &part)
			all = append(all, part...)
		}
		if err != nil {
			err = fmt.Errorf("oauth: %s: %w", name, err)
			break
		}
	}
	if err != nil {
		panic(err) // the files are compiled in: a broken one can't be worked around
	}
	return all, why
}

// Entries is the whole table.
func Entries() []Entry { return append([]Entry(nil), table...) }

// Lookup finds the entry of an error.
func Lookup(code Code, description string) (Entry, bool) {
	general := -1
	for i, e := range table {
		switch {
		case e.Code != code:
		case e.Description == description:
			return e, true
		case e.Description == "":
			general = i
		}
	}
	if general < 0 {
		return Entry{}, false
	}
	return table[general], true
}

// ByAnchor finds an entry by its name in addresses.
func ByAnchor(anchor string) (Entry, bool) {
	for _, e := range table {
		if e.Anchor == anchor {
			return e, true
		}
	}
	return Entry{}, false
}

// ErrorsPath is where the table is shown.
const ErrorsPath = "/developer/errors"

// Path is the page of the entry.
func (e Entry) Path() string { return ErrorsPath + "/" + e.Anchor }

var rfc = regexp.MustCompile(`^RFC (\d+)(?: (section|appendix) (\S+))?$`)

// specs are the addresses of the specifications that are no RFC.
var specs = map[string]string{
	"OpenID Connect Core 1.0":                              "https://openid.net/specs/openid-connect-core-1_0.html",
	"OpenID Connect Registration 1.0":                      "https://openid.net/specs/openid-connect-registration-1_0.html",
	"OpenID Connect Unmet Authentication Requirements 1.0": "https://openid.net/specs/openid-connect-unmet-authentication-requirements-1_0.html",
	"OAuth 2.0 Multiple Response Types":                    "https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html",
	"OpenID Connect RP-Initiated Logout 1.0":               "https://openid.net/specs/openid-connect-rpinitiated-1_0.html",
	"OpenID4VCI 1.0":                                       "https://openid.net/specs/openid-4-verifiable-credential-issuance-1_0.html",
	"OAuth 2.0 Attestation-Based Client Authentication":    "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-attestation-based-client-auth",
	"FAPI 2.0 Security Profile":                            "https://openid.net/specs/fapi-security-profile-2_0-final.html",
}

// Link is the address of the specification's text; "" when Spec names none that is known.
func (e Entry) Link() string {
	if m := rfc.FindStringSubmatch(e.Spec); m != nil {
		link := "https://www.rfc-editor.org/rfc/rfc" + m[1]
		if m[2] != "" {
			link += ".html#" + m[2] + "-" + m[3]
		}
		return link
	}
	name, _, _ := strings.Cut(e.Spec, " section ")
	return specs[name]
}

// Reason is a cause in fixed text, which the developer who signed in for the client may see and the caller may not: it would tell a thief
// what is missing.
type Reason string

func (r Reason) Error() string { return string(r) }

// Words says it for people; a reason without words says itself.
func (r Reason) Words() messages.Text {
	if t, ok := reasons[r]; ok {
		return t
	}
	return messages.Text{ZH: string(r), EN: string(r)}
}

// Why finds the reason of an error; "" for none.
func Why(err error) Reason {
	var r Reason
	_ = errors.As(err, &r)
	return r
}

type issuerKey struct{}

// WithIssuer keeps the issuer for the answers of a request: their error_uri is an address of it.
func WithIssuer(ctx context.Context, issuer string) context.Context {
	return context.WithValue(ctx, issuerKey{}, issuer)
}

// URI is error_uri of an error (RFC 6749 sections 4.1.2.1 and 5.2); "" when the table has no entry.
func (e *Error) URI(issuer string) string {
	entry, ok := Lookup(e.Code, e.Description)
	if !ok || issuer == "" {
		return ""
	}
	return issuer + entry.Path()
}

// Record writes the refusal into the trail of the request's client.
func (e *Error) Record(ctx context.Context) {
	description := e.Description
	if e.Code == ServerError {
		description = "" // the trace id would make each a kind of its own
	}
	trail.Refuse(ctx, trail.Refusal{Code: string(e.Code), Description: description, Reason: string(Why(e.Cause)), Cause: e.Cause})
}
