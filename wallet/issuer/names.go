package issuer

import (
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/deliver"
	"github.com/hufu-id/hufu/wallet/issuer/envelope"
	"github.com/hufu-id/hufu/wallet/issuer/format"
	"github.com/hufu-id/hufu/wallet/issuer/offer"
	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// The names of the issuer's rooms that others need.
type (
	// Authority, CredentialType, Claim, Display and Scope: package catalog.
	Authority      = catalog.Authority
	CredentialType = catalog.CredentialType
	Claim          = catalog.Claim
	Display        = catalog.Display
	Scope          = catalog.Scope
	Configuration  = catalog.Configuration
	MDocForm       = catalog.MDocForm
	ElementForm    = catalog.ElementForm
	Image          = catalog.Image

	// Config and what follows: package port.
	Config       = port.Config
	Store        = port.Store
	Authorities  = port.Authorities
	Licences     = port.Licences
	Persons      = port.Persons
	Status       = port.Status
	Signer       = port.Signer
	Signers      = port.Signers
	AccessTokens = port.AccessTokens
	Departments  = port.Departments
	Licence      = port.Licence
	AccessToken  = port.AccessToken
	Offer        = port.Offer
	Issuance     = port.Issuance
	StatusRef    = port.StatusRef
	Person       = port.Person
	Granted      = port.Granted
	Issued       = port.Issued
	Limit        = port.Limit
	Pending      = port.Pending
	Release      = port.Release
	ReleaseState = port.ReleaseState
	Policy       = port.Policy

	// Holder: package deliver. Format and NameSpace: package format. Decrypter: package envelope.
	Holder    = deliver.Holder
	Format    = format.Format
	NameSpace = format.NameSpace
	Decrypter = envelope.Decrypter

	// Grant, OfferRequest, OfferView and Redemption: package offer.
	Grant        = offer.Grant
	OfferRequest = offer.OfferRequest
	OfferView    = offer.OfferView
	Redemption   = offer.Redemption
)

// Grants, as they are named in a Credential Offer.
const (
	PreAuthorized     = offer.PreAuthorized
	AuthorizationCode = offer.AuthorizationCode
)

// The formats.
const (
	SDJWT = format.SDJWT
	MDoc  = format.MDoc
)

// Errors of the rooms, under one roof.
var (
	ErrNoLicence           = port.ErrNoLicence
	ErrNotInForce          = port.ErrNotInForce
	ErrInvalidToken        = port.ErrInvalidToken
	ErrNotADepartment      = port.ErrNotADepartment
	ErrUnknownOffer        = port.ErrUnknownOffer
	ErrOfferEnded          = port.ErrOfferEnded
	ErrTooManyOffers       = port.ErrTooManyOffers
	ErrNonceUsed           = port.ErrNonceUsed
	ErrGrantExhausted      = port.ErrGrantExhausted
	ErrLevelTooLow         = port.ErrLevelTooLow
	ErrPersonInactive      = port.ErrPersonInactive
	ErrUnknownNotification = port.ErrUnknownNotification
	ErrUnknownTransaction  = port.ErrUnknownTransaction
	ErrWaiting             = deliver.ErrWaiting
	ErrRefused             = deliver.ErrRefused
	ErrNoForm              = format.ErrNoForm
	ErrUnknownCode         = offer.ErrUnknownCode
	ErrTxCodeWrong         = offer.ErrTxCodeWrong
	ErrTxCodeMissing       = offer.ErrTxCodeMissing
	ErrTxCodeUnexpected    = offer.ErrTxCodeUnexpected
	ErrUnknownGrant        = offer.ErrUnknownGrant
)
