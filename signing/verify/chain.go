package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// Purposes of anchors (bundle.Anchor).
const (
	anchorRoot       = "root"
	anchorCredential = "credential"
	anchorStatus     = "status"
)

// anchors are the bundle's certificates by purpose. A chain for one purpose never ends at another's anchor: otherwise a
// department's own key could sign a status list that clears its revoked licences.
type anchors struct {
	pools map[string]*x509.CertPool
	roots []*x509.Certificate
}

func loadAnchors(list []bundle.Anchor) anchors {
	a := anchors{pools: map[string]*x509.CertPool{}}
	for _, anchor := range list {
		cert, err := x509.ParseCertificate(anchor.DER)
		if err != nil {
			continue // one that can't be read vouches for nothing
		}
		if anchor.Purpose == anchorRoot {
			a.roots = append(a.roots, cert)
			continue
		}
		if a.pools[anchor.Purpose] == nil {
			a.pools[anchor.Purpose] = x509.NewCertPool()
		}
		a.pools[anchor.Purpose].AddCert(cert)
	}
	return a
}

// maxCached bounds the chains that a verifier remembers: every hostile presentation may bring another one.
const maxCached = 4096

type chainKey [sha256.Size]byte

// chain is what became of one x5c.
type chain struct {
	leaf *x509.Certificate
	key  jose.JWK // of the leaf; zero when it doesn't fit the algorithm
	err  error    // it can't be used at any time; nil otherwise
	path *trustPath
}

// trustPath is a verified path: the time within which all of it is valid, and what reports say of it.
type trustPath struct {
	from, to  time.Time
	described []Certificate
}

// errWindow: the chain is good, but not at this time.
var errWindow = errors.New("a certificate of the chain is not valid at this time")

// chainOf builds or remembers the path from an x5c to an anchor of the purpose, at the given time, and the leaf's key.
func (v *Verifier) chainOf(x5c [][]byte, purpose string, alg jose.Alg, at time.Time) *chain {
	h := sha256.New()
	h.Write([]byte(purpose + " " + string(alg)))
	var size [8]byte
	for _, der := range x5c {
		binary.BigEndian.PutUint64(size[:], uint64(len(der)))
		h.Write(size[:])
		h.Write(der)
	}
	key := chainKey(h.Sum(nil))
	v.mu.Lock()
	c := v.chains[key]
	v.mu.Unlock()
	if c != nil && (c.err != nil || c.path.covers(at)) {
		return c
	}
	c = v.buildChain(x5c, purpose, alg, at)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.chains) >= maxCached {
		clear(v.chains)
	}
	v.chains[key] = c
	return c
}

func (p *trustPath) covers(at time.Time) bool { return !at.Before(p.from) && !at.After(p.to) }

func (v *Verifier) buildChain(x5c [][]byte, purpose string, alg jose.Alg, at time.Time) *chain {
	certs := make([]*x509.Certificate, len(x5c))
	for i, der := range x5c {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return &chain{err: fmt.Errorf("certificate %d can't be read", i)}
		}
		certs[i] = cert
	}
	c := &chain{leaf: certs[0]}
	if key, err := jose.FromPublic(c.leaf.PublicKey, "", alg); err == nil {
		c.key = key
	}
	if c.err = checkLeaf(c.leaf); c.err != nil {
		return c
	}
	pool := v.anchors.pools[purpose]
	if pool == nil {
		c.err = x509.UnknownAuthorityError{Cert: c.leaf}
		return c
	}
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	// Roots is never nil: nil would mean the system's own.
	opts := x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	opts.CurrentTime = at
	paths, err := c.leaf.Verify(opts)
	if err != nil {
		// Would it be good at another time? Then it is a matter of time, which a wrong clock explains too.
		opts.CurrentTime = latestStart(certs)
		if paths, _ = c.leaf.Verify(opts); len(paths) == 0 {
			c.err = err
			return c
		}
	}
	c.path = newPath(paths[0])
	c.path.described = v.describePath(paths[0])
	return c
}

func latestStart(certs []*x509.Certificate) time.Time {
	t := certs[0].NotBefore
	for _, c := range certs[1:] {
		if c.NotBefore.After(t) {
			t = c.NotBefore
		}
	}
	return t
}

func newPath(certs []*x509.Certificate) *trustPath {
	p := &trustPath{from: certs[0].NotBefore, to: certs[0].NotAfter}
	for _, c := range certs[1:] {
		if c.NotBefore.After(p.from) {
			p.from = c.NotBefore
		}
		if c.NotAfter.Before(p.to) {
			p.to = c.NotAfter
		}
	}
	return p
}

// checkLeaf refuses certificates that were made for something else: an authority's, a server's, one that may not sign.
func checkLeaf(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return errors.New("the signer's certificate is an authority's")
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("the signer's certificate isn't for signatures")
	case len(leaf.ExtKeyUsage) > 0:
		return errors.New("the signer's certificate is for another purpose")
	case len(leaf.UnhandledCriticalExtensions) > 0:
		return errors.New("the signer's certificate has a critical extension that we don't know")
	}
	return nil
}

// x5c returns the chain that came along or, for a credential without one, the certificate that the bundle has for its
// issuer and key.
func (r *run) x5c() [][]byte {
	h := r.parsed.Header()
	if len(h.X5C) > 0 {
		return h.X5C
	}
	issuer := r.v.issuers[r.iss]
	if issuer == nil {
		return nil
	}
	for _, der := range issuer.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		key, err := jose.FromPublic(cert.PublicKey, "", h.Alg)
		if err == nil && (key.Thumbprint() == h.KeyID || h.KeyID == "" && len(issuer.Certificates) == 1) {
			return [][]byte{der}
		}
	}
	return nil
}

// checkSignature checks the signature with the key of the leaf. Whether that key may be believed is the next question;
// here it only tells an untouched document from a changed one, which needs no bundle.
func (r *run) checkSignature() Check {
	x5c := r.x5c()
	if len(x5c) == 0 {
		return unknown(report.ReasonNoKey, "no certificate came along, and the bundle has none for this issuer and key")
	}
	r.chain = r.v.chainOf(x5c, anchorCredential, r.parsed.Header().Alg, r.at)
	if r.chain.leaf == nil {
		return fail(report.ReasonUntrusted, r.chain.err.Error())
	}
	if r.chain.key.IsZero() {
		return fail(report.ReasonTampered, "the certificate's key doesn't fit the algorithm")
	}
	var err error
	if r.verified, err = r.parsed.Verify(r.chain.key); err != nil {
		return fail(report.ReasonTampered, "the signature doesn't match: changed after it was signed, or never signed by this key")
	}
	return pass("unchanged since it was signed")
}

// checkChain decides whether the key may be believed: a path to an anchor for credentials, the issuer's own name in
// the certificate, and no word that the key was stolen.
func (r *run) checkChain() Check {
	if r.v.contents == nil {
		return unknown(report.ReasonNoBundle, "without a bundle no certificate is trusted")
	}
	if c := r.pathProblem(); c.Result != "" {
		return c
	}
	leaf := r.chain.leaf
	names := make([]string, len(leaf.URIs))
	for i, u := range leaf.URIs {
		names[i] = u.String()
	}
	if r.iss == "" && len(names) == 1 {
		r.iss = names[0]
	}
	if r.iss == "" || !slices.Contains(names, r.iss) {
		return fail(report.ReasonUntrusted, "the certificate is another issuer's than the credential says")
	}
	if since, withdrawn := r.v.withdrawn[withdrawnKey{r.iss, r.chain.key.Thumbprint()}]; withdrawn {
		detail := "the issuer withdrew this key as of " + report.Stamp(since)
		if r.issued.IsZero() || !r.issued.Before(since) {
			return fail(report.ReasonKeyWithdrawn, detail).AsAt(since)
		}
		// It says that it was signed before; so would a forgery. Only a third party's timestamp could tell.
		return unknown(report.ReasonKeyWithdrawn, detail+"; nothing but its own word says that it was signed before").AsAt(since)
	}
	return pass("leads to the anchor for credentials").AsAt(r.v.contents.AsOf)
}

// pathProblem sets r.path, or says why there is none. The zero Check means that all is well.
func (r *run) pathProblem() Check {
	if r.chain.err != nil {
		var stranger x509.UnknownAuthorityError
		if errors.As(r.chain.err, &stranger) && !r.clock.sure {
			return unknown(report.ReasonUnknownIssuer, "this bundle doesn't know who vouches for the issuer; a current one might")
		}
		return fail(report.ReasonUntrusted, x509Detail(r.chain.err))
	}
	if !r.chain.path.covers(r.at) {
		if !r.clock.sure {
			return unknown(report.ReasonClockUnsure, errWindow.Error()+", but nothing confirms the clock")
		}
		return fail(report.ReasonUntrusted, errWindow.Error())
	}
	r.path = r.chain.path
	return Check{}
}

// x509Detail says what is wrong without repeating names from a hostile certificate.
func x509Detail(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "no path to an anchor for credentials"
	case errors.As(err, &invalid):
		return fmt.Sprintf("a certificate of the chain is invalid (reason %d)", invalid.Reason)
	case errors.As(err, new(x509.UnhandledCriticalExtension)):
		return "a certificate of the chain has a critical extension that we don't know"
	case errors.As(err, new(x509.ConstraintViolationError)):
		return "a certificate of the chain breaks a constraint"
	}
	return err.Error()
}

var oidOrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// organizationIdentifier is the credit code in a certificate's subject; empty unless there is exactly one.
func organizationIdentifier(c *x509.Certificate) string {
	found := ""
	for _, name := range c.Subject.Names {
		if !name.Type.Equal(oidOrganizationIdentifier) {
			continue
		}
		value, ok := name.Value.(string)
		if !ok || found != "" {
			return ""
		}
		found = value
	}
	return found
}

// describePath lists the path from the anchor down, with the national root before it when the bundle has the one that
// signed the anchor.
func (v *Verifier) describePath(path []*x509.Certificate) []Certificate {
	certs := slices.Clone(path)
	slices.Reverse(certs)
	for _, root := range v.anchors.roots {
		if root.Equal(certs[0]) {
			break
		}
		if certs[0].CheckSignatureFrom(root) == nil {
			certs = slices.Insert(certs, 0, root)
			break
		}
	}
	out := make([]Certificate, len(certs))
	for i, c := range certs {
		sum := sha256.Sum256(c.Raw)
		out[i] = Certificate{Subject: c.Subject.CommonName, SHA256: hex.EncodeToString(sum[:]),
			NotBefore: report.Stamp(c.NotBefore), NotAfter: report.Stamp(c.NotAfter)}
	}
	return out
}
