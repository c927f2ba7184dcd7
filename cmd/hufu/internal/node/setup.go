package node

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/bundles"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/registry"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore/keystore"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/eseal/sealapi"
	"github.com/hufu-id/hufu/web"
)

// crlPath is where the revocation list of the IACA is served (ISO/IEC 18013-5 annex B: its certificates name the place).
const crlPath = "/iaca.crl"

// Lives of keys. A key is kept for at least the longest life of what it signed.
const (
	day = 24 * time.Hour
	// credentialKeep: credentials live for 90 days.
	credentialKeep = 92 * day
	// statusKeep: status list tokens live for 35 days.
	statusKeep = 36 * day
)

// secrets are the symmetric keys, made once and sealed by the KEK. None may change while something hangs on it.
type secrets struct {
	cookies, pairwise, code, forms, issuer, register, registerIndex, identity, identityIndex, hosted []byte
}

func (n *Node) openKeys(ctx context.Context) (err error) {
	if n.keys, err = keys.Open(ctx, keys.Config{Store: keystore.New(n.db), KEK: n.cfg.KEK, Name: n.cfg.Name,
		Contact: n.cfg.Origin, CRL: n.cfg.Origin + crlPath}); err != nil {
		return err
	}
	for name, into := range map[string]*[]byte{"cookies": &n.secrets.cookies, "pairwise": &n.secrets.pairwise, "code": &n.secrets.code,
		"forms": &n.secrets.forms, "issuer": &n.secrets.issuer, "register": &n.secrets.register, "register-index": &n.secrets.registerIndex,
		"identity": &n.secrets.identity, "identity-index": &n.secrets.identityIndex, "hosted": &n.secrets.hosted} {
		if *into, err = n.keys.Secret(ctx, name); err != nil {
			return err
		}
	}
	if _, err := n.keys.EnsureRoot(ctx); err != nil {
		return err
	}
	for _, kind := range []keys.Kind{keys.KindCredential, keys.KindStatus, keys.KindIACA} {
		if _, err := n.keys.EnsureIntermediate(ctx, kind); err != nil {
			return err
		}
	}
	if len(n.cfg.SealMakers) > 0 {
		if err := seals.Intermediates(ctx, n.keys); err != nil {
			return err
		}
	}
	return n.ensurePurposes(ctx)
}

func (n *Node) ensurePurposes(ctx context.Context) error {
	for purpose, spec := range n.cfg.specs() {
		if err := n.keys.Ensure(ctx, purpose, spec); err != nil {
			return err
		}
	}
	return nil
}

// specs are all purposes of a configuration and how their keys are made.
func (c Config) specs() map[keys.Purpose]keys.Spec {
	name := c.Name
	if name == "" {
		name = "Hufu"
	}
	specs := map[keys.Purpose]keys.Spec{
		keys.OIDC:      {RotateEvery: 30 * day, PublishAhead: day, Keep: 2 * day},
		keys.OIDCRS256: {Alg: jose.RS256, RotateEvery: 30 * day, PublishAhead: day, Keep: 2 * day},
		keys.Status: {RotateEvery: 30 * day, PublishAhead: day, Keep: statusKeep,
			Certificate: &keys.CertificateSpec{Kind: keys.KindStatus, CommonName: "Status lists", Organization: name}},
		// Wallets keep our metadata for less than a day: none encrypts for a key that is destroyed.
		keys.CredentialRequest: {Alg: jose.ECDHES, RotateEvery: 30 * day, PublishAhead: day, Keep: day},
		registry.ReportKey:     registry.Spec(),
		keys.Audit:             {RotateEvery: 365 * day, PublishAhead: day, Keep: 3650 * day},
		keys.BundleRoot:        {Keep: 730 * day},
		keys.BundleTargets:     {RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day},
		keys.BundleSnapshot:    {RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day},
		keys.BundleTimestamp:   {RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day},
		bundles.StatusPurpose:  {RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day},
	}
	for _, a := range c.Authorities {
		specs[keys.Credential(a.Code)] = keys.Spec{RotateEvery: 180 * day, PublishAhead: day, Keep: credentialKeep,
			Certificate: &keys.CertificateSpec{Kind: keys.KindCredential, Organization: a.NameZH, OrganizationIdentifier: a.Code,
				URI: c.Origin + "/i/" + a.Code}}
		specs[keys.DocumentSigner(a.Code)] = keys.Spec{RotateEvery: 180 * day, PublishAhead: day, Keep: credentialKeep,
			Certificate: &keys.CertificateSpec{Kind: keys.KindIACA, Organization: a.NameZH, OrganizationIdentifier: a.Code,
				URI: c.Origin + "/i/" + a.Code}}
		specs[keys.BundleIssuer(a.Code)] = keys.Spec{RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day}
	}
	for _, m := range c.makers() {
		maps.Copy(specs, seals.Specs(c.Origin, m))
	}
	for _, p := range c.Provinces {
		specs[keys.Province(p.Code)] = keys.Spec{RotateEvery: 90 * day, PublishAhead: day, Keep: 2 * day}
	}
	return specs
}

// authority finds a configured authority.
func (c Config) authority(code string) (AuthorityConfig, bool) {
	for _, a := range c.Authorities {
		if a.Code == code {
			return a, true
		}
	}
	return AuthorityConfig{}, false
}

// mayIssue says whether an authority may issue licences of a type.
func (c Config) mayIssue(_ context.Context, code, typeID string) (bool, error) {
	a, ok := c.authority(code)
	if !ok {
		return false, nil
	}
	for _, t := range a.Types {
		if t == typeID {
			return true, nil
		}
	}
	return false, nil
}

// Registrations turns the file's entries into registrations.
func (c Config) Registrations() ([]oidc.Client, error) {
	var out []oidc.Client
	for _, entry := range c.Clients {
		cl, err := entry.Client("")
		if err != nil {
			return nil, fmt.Errorf("clients: %s: %w", entry.ID, err)
		}
		out = append(out, cl)
	}
	return out, nil
}

// maxBody raises the body limit where files come in.
func maxBody(r *http.Request) int64 {
	if n := registry.MaxBody(r); n > 0 {
		return n
	}
	if r.Method == http.MethodPost && r.URL.Path == sealapi.ProposalPath {
		return sealapi.MaxProposal
	}
	return 0
}

func (n *Node) ready(w http.ResponseWriter, r *http.Request) {
	if err := n.db.Ping(r.Context()); err != nil {
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// revocationList serves what readers of mdocs ask before they believe a document signer.
func (n *Node) revocationList(w http.ResponseWriter, r *http.Request) {
	der, err := n.keys.RevocationList(r.Context())
	if err != nil {
		if n.cfg.Log != nil {
			n.cfg.Log.ErrorContext(r.Context(), "revocation list", "error", err)
		}
		http.Error(w, "the list can't be made now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(der)
}

// bundlePolicy is what the federation advises verifiers: a status list of more than a day makes "in force" doubtful for nobody by
// itself; a counter that wants to be stricter says so.
func bundlePolicy() bundle.Policy { return bundle.Policy{} }

// joined says whether a province is in the configuration: one that was taken out logs nobody in, and refreshes nobody's tokens (I08, C04).
func (c Config) joined(code string) bool {
	return slices.ContainsFunc(c.Provinces, func(p ProvinceConfig) bool { return p.Code == code })
}

// provinceName is a province's name for people.
func provinceName(code string) web.Text {
	p, ok := province.Lookup(province.Code(code))
	if !ok {
		return web.Text{}
	}
	return web.Text{ZH: p.Name, EN: p.English}
}
