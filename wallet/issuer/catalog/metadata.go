package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/attest"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// Document is a file that is served to anybody: its bytes and their entity tag.
type Document struct {
	Body []byte
	ETag string
}

// NewDocument is the JSON of v.
func NewDocument(v any) (Document, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Document{}, fmt.Errorf("catalog: encoding metadata: %w", err)
	}
	sum := sha256.Sum256(b)
	return Document{Body: b, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// Offers is what all issuers of this server offer, as far as metadata says it.
type Offers struct {
	// BatchSize is how many credentials one request gives at most; below 2 there are no batches.
	BatchSize int
	// Attestations says that proofs of type attestation are taken.
	Attestations bool
	// RequestEncryption and ResponseEncryption require them.
	RequestEncryption, ResponseEncryption bool
}

// Encryption is what requests and responses are encrypted by, as metadata says it. Without keys there is none.
type Encryption struct {
	Keys       []jose.JWK
	Algs, Encs []string
	// Zip are the compressions that are taken in requests.
	Zip []string
}

// The wire form of Credential Issuer Metadata, section 12.2.4.
type issuerMetadata struct {
	CredentialIssuer     string                             `json:"credential_issuer"`
	AuthorizationServers []string                           `json:"authorization_servers"`
	CredentialEndpoint   string                             `json:"credential_endpoint"`
	NonceEndpoint        string                             `json:"nonce_endpoint"`
	DeferredEndpoint     string                             `json:"deferred_credential_endpoint"`
	NotificationEndpoint string                             `json:"notification_endpoint"`
	RequestEncryption    *requestEncryption                 `json:"credential_request_encryption,omitempty"`
	ResponseEncryption   *responseEncryption                `json:"credential_response_encryption,omitempty"`
	Batch                *batchIssuance                     `json:"batch_credential_issuance,omitempty"`
	Display              []Display                          `json:"display,omitempty"`
	Configurations       map[string]credentialConfiguration `json:"credential_configurations_supported"`

	// Of signed metadata only.
	Subject  string `json:"sub,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	IssuedAt int64  `json:"iat,omitempty"`

	requestRequired, responseRequired bool
}

type requestEncryption struct {
	JWKS     map[string][]jose.JWK `json:"jwks"`
	Encs     []string              `json:"enc_values_supported"`
	Zip      []string              `json:"zip_values_supported,omitempty"`
	Required bool                  `json:"encryption_required"`
}

type responseEncryption struct {
	Algs     []string `json:"alg_values_supported"`
	Encs     []string `json:"enc_values_supported"`
	Required bool     `json:"encryption_required"`
}

type batchIssuance struct {
	Size int `json:"batch_size"`
}

type credentialConfiguration struct {
	Format         Format               `json:"format"`
	VCT            string               `json:"vct,omitempty"`
	DocType        string               `json:"doctype,omitempty"`
	Scope          string               `json:"scope"`
	BindingMethods []string             `json:"cryptographic_binding_methods_supported"`
	SigningAlgs    []any                `json:"credential_signing_alg_values_supported"`
	ProofTypes     map[string]proofType `json:"proof_types_supported"`
	Metadata       credentialMetadata   `json:"credential_metadata"`
}

type proofType struct {
	SigningAlgs []string       `json:"proof_signing_alg_values_supported"`
	Attested    *attest.Levels `json:"key_attestations_required,omitempty"`
}

type credentialMetadata struct {
	Display []credentialDisplay `json:"display,omitempty"`
	Claims  []claimDescription  `json:"claims,omitempty"`
}

type credentialDisplay struct {
	Display
	Logo       *logo       `json:"logo,omitempty"`
	Background *background `json:"background_image,omitempty"`
}

type logo struct {
	URI     string `json:"uri"`
	AltText string `json:"alt_text,omitempty"`
}

type background struct {
	URI string `json:"uri"`
}

type claimDescription struct {
	Path      sdjwt.Path `json:"path"`
	Mandatory bool       `json:"mandatory,omitempty"`
	Display   []Display  `json:"display,omitempty"`
}

// coseES256 is ES256 among COSE algorithms: an mdoc names its algorithms by number.
const coseES256 = -7

func metadata(origin string, a *Entry, o Offers) issuerMetadata {
	m := issuerMetadata{
		CredentialIssuer:     a.Identifier,
		AuthorizationServers: []string{origin},
		CredentialEndpoint:   a.Identifier + "/credential",
		NonceEndpoint:        a.Identifier + "/nonce",
		DeferredEndpoint:     a.Identifier + "/deferred_credential",
		NotificationEndpoint: a.Identifier + "/notification",
		Display:              a.Display,
		Configurations:       map[string]credentialConfiguration{},
		requestRequired:      o.RequestEncryption,
		responseRequired:     o.ResponseEncryption,
	}
	if o.BatchSize > 1 {
		m.Batch = &batchIssuance{Size: o.BatchSize}
	}
	for id, c := range a.configurations {
		m.Configurations[id] = configuration(c, o)
	}
	return m
}

func configuration(conf Configuration, o Offers) credentialConfiguration {
	t := conf.Type
	c := credentialConfiguration{
		Format:         conf.Format,
		Scope:          t.ID,
		BindingMethods: []string{"jwk"},
		ProofTypes:     map[string]proofType{"jwt": {SigningAlgs: request.ProofAlgs(), Attested: t.Attested}},
		Metadata:       credentialMetadata{Display: credentialDisplays(t)},
	}
	if o.Attestations {
		c.ProofTypes["attestation"] = proofType{SigningAlgs: attest.AlgNames(), Attested: t.Attested}
	}
	if conf.Format == MDoc {
		c.DocType, c.BindingMethods, c.SigningAlgs = t.MDoc.DocType, []string{"cose_key"}, []any{coseES256}
		for _, e := range t.MDoc.Elements {
			c.Metadata.Claims = append(c.Metadata.Claims, claimDescription{Path: sdjwt.P(e.NameSpace, e.ID), Mandatory: e.Mandatory, Display: e.Display})
		}
		return c
	}
	c.VCT, c.SigningAlgs = t.VCT, []any{"ES256"}
	for _, claim := range t.Claims {
		c.Metadata.Claims = append(c.Metadata.Claims, claimDescription{Path: claim.Path, Mandatory: claim.Mandatory, Display: claim.Display})
	}
	return c
}

// credentialDisplays gives each language of a type its pictures: what a wallet may show large, and small.
func credentialDisplays(t CredentialType) []credentialDisplay {
	var out []credentialDisplay
	for _, d := range t.Display {
		c := credentialDisplay{Display: d}
		for _, i := range t.Images {
			if i.Locale != "" && i.Locale != d.Locale {
				continue
			}
			if c.Background == nil {
				c.Background, c.Logo = &background{URI: i.URI}, &logo{URI: i.URI, AltText: i.AltText}
			}
		}
		out = append(out, c)
	}
	return out
}

// withEncryption returns the metadata with what is said about encryption.
func (m issuerMetadata) withEncryption(e Encryption) issuerMetadata {
	if len(e.Keys) > 0 {
		m.RequestEncryption = &requestEncryption{JWKS: map[string][]jose.JWK{"keys": e.Keys}, Encs: e.Encs, Zip: e.Zip, Required: m.requestRequired}
		m.ResponseEncryption = &responseEncryption{Algs: e.Algs, Encs: e.Encs, Required: m.responseRequired}
	}
	return m
}

// Metadata is the Credential Issuer Metadata.
func (e *Entry) Metadata(enc Encryption) (Document, error) {
	return NewDocument(e.metadata.withEncryption(enc))
}

// SignedMetadata is the payload of signed metadata (section 12.2.3): the same members, and who says so since when.
func (e *Entry) SignedMetadata(enc Encryption, at time.Time) any {
	m := e.metadata.withEncryption(enc)
	m.Subject, m.Issuer, m.IssuedAt = e.Identifier, e.Identifier, at.Unix()
	return m
}
