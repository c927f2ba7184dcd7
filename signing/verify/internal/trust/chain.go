package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// Purposes of anchors (bundle.Anchor).
const (
	root       = "root"
	Credential = "credential"
	Status     = "status"
	SealMaker  = "seal-maker"
	SealSigner = "seal-signer"
	// DocumentSigner: certificates that sign mdocs, straight under an IACA (ISO/IEC 18013-5 annex B).
	DocumentSigner = "iaca"
)

// Chains finds paths from certificates that came along to the anchors of a bundle, and remembers them. Safe for concurrent use.
type Chains struct {
	anchors anchors

	mu     sync.Mutex
	chains map[chainKey]*Chain
}

// NewChains reads a bundle's anchors; a nil bundle has none.
func NewChains(b *bundle.Contents) *Chains {
	c := &Chains{chains: map[chainKey]*Chain{}, anchors: anchors{pools: map[string]*x509.CertPool{}}}
	if b != nil {
		c.anchors = loadAnchors(b.Anchors)
	}
	return c
}

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
		if anchor.Purpose == root {
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

// Chain is what became of one x5c.
type Chain struct {
	Leaf *x509.Certificate
	Key  jose.JWK // of the leaf; zero when it doesn't fit the algorithm
	Err  error    // it can't be used at any time; nil otherwise
	Path *Path
}

// Path is a verified path: the time within which all of it is valid, and what reports say of it.
type Path struct {
	from, to  time.Time
	Described []report.Certificate
}

// ErrWindow: the chain is good, but not at this time.
var ErrWindow = errors.New("a certificate of the chain is not valid at this time")

// ErrNoAnchors: the bundle is from before there were anchors of this kind.
var ErrNoAnchors = errors.New("the bundle has no anchors of this kind")

// Of builds or remembers the path from an x5c to an anchor of the purpose, at the given time, and the leaf's key.
func (v *Chains) Of(x5c [][]byte, purpose string, alg jose.Alg, at time.Time) *Chain {
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
	if c != nil && (c.Err != nil || c.Path.Covers(at)) {
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

// Covers reports whether all of the path is valid at a time.
func (p *Path) Covers(at time.Time) bool { return !at.Before(p.from) && !at.After(p.to) }

func (v *Chains) buildChain(x5c [][]byte, purpose string, alg jose.Alg, at time.Time) *Chain {
	certs := make([]*x509.Certificate, len(x5c))
	for i, der := range x5c {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return &Chain{Err: fmt.Errorf("certificate %d can't be read", i)}
		}
		certs[i] = cert
	}
	c := &Chain{Leaf: certs[0]}
	if key, err := jose.FromPublic(c.Leaf.PublicKey, "", alg); err == nil {
		c.Key = key
	}
	if c.Err = checkLeaf(c.Leaf, purpose); c.Err != nil {
		return c
	}
	pool := v.anchors.pools[purpose]
	if pool == nil {
		c.Err = ErrNoAnchors
		return c
	}
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	// Roots is never nil: nil would mean the system's own.
	opts := x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	opts.CurrentTime = at
	paths, err := c.Leaf.Verify(opts)
	if err != nil {
		// Would it be good at another time? Then it is a matter of time, which a wrong clock explains too.
		opts.CurrentTime = latestStart(certs)
		if paths, _ = c.Leaf.Verify(opts); len(paths) == 0 {
			c.Err = err
			return c
		}
	}
	if purpose == DocumentSigner {
		if c.Err = checkDocumentSigner(paths[0]); c.Err != nil {
			return c
		}
	}
	c.Path = newPath(paths[0])
	c.Path.Described = v.describePath(paths[0])
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

func newPath(certs []*x509.Certificate) *Path {
	p := &Path{from: certs[0].NotBefore, to: certs[0].NotAfter}
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

var oidDocumentSigner = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2}

// checkDocumentSigner checks what ISO/IEC 18013-5 section 9.3.3 demands of a document signer beside the path: directly under the IACA, of the same
// country, and of the same province where the IACA names one.
func checkDocumentSigner(path []*x509.Certificate) error {
	if len(path) != 2 {
		return errors.New("the signer's certificate isn't directly under the root of mdocs")
	}
	ds, iaca := path[0].Subject, path[1].Subject
	switch {
	case len(ds.Country) != 1 || !slices.Equal(ds.Country, iaca.Country):
		return errors.New("the signer's certificate is of another country than the root of mdocs")
	case len(iaca.Province) > 0 && !slices.Equal(ds.Province, iaca.Province):
		return errors.New("the signer's certificate is of another province than the root of mdocs")
	}
	return nil
}

// checkLeaf refuses certificates that were made for something else: an authority's, a server's, one that may not sign.
func checkLeaf(leaf *x509.Certificate, purpose string) error {
	switch {
	case purpose == DocumentSigner && !(len(leaf.UnknownExtKeyUsage) == 1 && leaf.UnknownExtKeyUsage[0].Equal(oidDocumentSigner)):
		return errors.New("the signer's certificate isn't for signing mdocs")
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

// Problem says why the chain may not be believed at a time; the zero Check means that all is well. A bundle that the clock doesn't confirm may be too old to
// know who vouches for the signer.
func (c *Chain) Problem(k Clock, at time.Time) report.Check {
	if errors.Is(c.Err, ErrNoAnchors) {
		return report.Unclear(report.ReasonUnknownIssuer, "this bundle has no authorities of this kind; a newer one may")
	}
	if c.Err != nil {
		var stranger x509.UnknownAuthorityError
		if errors.As(c.Err, &stranger) && !k.Sure {
			return report.Unclear(report.ReasonUnknownIssuer, "this bundle doesn't know who vouches for the issuer; a current one might")
		}
		return report.No(report.ReasonUntrusted, detail(c.Err))
	}
	if !c.Path.Covers(at) {
		if !k.Sure {
			return report.Unclear(report.ReasonClockUnsure, ErrWindow.Error()+", but nothing confirms the clock")
		}
		return report.No(report.ReasonUntrusted, ErrWindow.Error())
	}
	return report.Check{}
}

// detail says what is wrong without repeating names from a hostile certificate.
func detail(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "no path to an anchor"
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

// OrganizationIdentifier is the credit code in a certificate's subject; empty unless there is exactly one.
func OrganizationIdentifier(c *x509.Certificate) string {
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
func (v *Chains) describePath(path []*x509.Certificate) []report.Certificate {
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
	out := make([]report.Certificate, len(certs))
	for i, c := range certs {
		sum := sha256.Sum256(c.Raw)
		out[i] = report.Certificate{Subject: c.Subject.CommonName, SHA256: hex.EncodeToString(sum[:]),
			NotBefore: report.Stamp(c.NotBefore), NotAfter: report.Stamp(c.NotAfter)}
	}
	return out
}
