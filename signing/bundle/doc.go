// Package bundle is the trust bundle: everything a stranger without a network
// needs to judge a credential, as one TUF repository (The Update Framework
// 1.0.33), served as files and as one zip of the same tree.
//
// It is pure: no clock, network, file or global. It is the only importer of
// go-tuf.
//
// # Roles
//
//	root       the keys of all roles; handed over once, rotates by a chain (N.root.json)
//	timestamp  newest snapshot; carries as_of, the time of publication
//	snapshot   version and hash of every targets role: no mixing of old and new parts
//	targets    the nation: anchors, who may issue what, type metadata with its images, policy
//	status     delegated, paths status/*: status list tokens as published
//	status-cwt delegated, paths status-cwt/*, same keys: the same lists as CBOR web tokens, for mdocs
//	issuer-<credit code>
//	           delegated, paths issuers/<credit code>/*: one authority's own certificates
//	           and the keys it withdraws; it can't widen what it may issue
//
// Once a delegated role was published it stays (an authority that left has an
// empty one): TUF clients take a role that vanished for an attack.
package bundle
