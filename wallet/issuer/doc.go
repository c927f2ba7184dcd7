// Package issuer hands e-licences to wallets as verifiable credentials: OpenID for Verifiable Credential Issuance 1.0.
//
// There is one Credential Issuer per issuing authority, <origin>/i/<credit code>, all with the one national authorization
// server. What it serves:
//
//	GET  /.well-known/openid-credential-issuer/i/{code}   Credential Issuer Metadata (section 12.2)
//	GET  /.well-known/jwt-vc-issuer/i/{code}              the keys that its credentials are signed with
//	GET  /i/{code}/offer/{id}                             a Credential Offer by reference (section 4.1.3)
//	POST /i/{code}/nonce                                  Nonce Endpoint (section 7)
//	POST /i/{code}/credential                             Credential Endpoint (section 8)
//	POST /register/v1/offers                              departments make offers for the licences that they issued
//
// A credential comes into being in this order, so that a crash at any point leaves a record without a credential and never a
// credential without a record: everything is checked; one transaction claims the nonce, holds the licence, reserves a
// status index and records the issuance; it commits; the key signs; the answer goes out.
//
// Not here: tokens (the authorization server's; this room only says what a Pre-Authorized Code stands for, see Redeem),
// the licences themselves and their law (register), lists (status), keys.
package issuer
