//go:build conformance

package vci

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hufu-id/hufu/conformance/oidf/certs"
	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/internal/jose"
)

// Provider is the wallet provider of the suite's wallets. The suite gets its private keys, the server the anchor.
type Provider struct {
	Anchor       []byte // PEM
	wallet, keys json.RawMessage
}

// ProviderName is who vouches for the wallets, by iss and in the server's configuration.
const ProviderName = "https://wallet-provider.test"

// NewProvider makes an anchor, and a key for wallets and one for keys.
func NewProvider() (*Provider, error) {
	authority, err := certs.New()
	if err != nil {
		return nil, err
	}
	wallet, err1 := attester(authority, "wallets.hufu.test")
	keys, err2 := attester(authority, "keys.hufu.test")
	return &Provider{Anchor: authority.PEM(), wallet: wallet, keys: keys}, errors.Join(err1, err2)
}

// attester makes a private key with its certificate, as a set of one.
func attester(authority *certs.Authority, name string) (json.RawMessage, error) {
	cert, err := authority.Issue(certs.ForClient(name))
	if err != nil {
		return nil, err
	}
	private, err := jose.MarshalPrivateJWK(jose.SigningKey{ID: name, Alg: jose.ES256, Key: cert.PrivateKey.(crypto.Signer)})
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(private, &members); err != nil {
		return nil, err
	}
	members["x5c"] = []string{base64.StdEncoding.EncodeToString(cert.Certificate[0])}
	with, err := json.Marshal(members)
	return json.RawMessage(fmt.Sprintf(`{"keys":[%s]}`, with)), err
}

// Config is the provider in the suite's words.
func (p *Provider) Config() *suite.AttestationConfig {
	return &suite.AttestationConfig{Issuer: ProviderName, Attester: p.wallet, Anchor: string(p.Anchor), Keys: p.keys}
}

// Configure puts the provider into the server's configuration: whose wallets are believed, and whose word on how keys are kept. Files go to dir.
func (p *Provider) Configure(settings map[string]any, dir string) error {
	anchors := filepath.Join(dir, "wallets.pem")
	settings["openid"] = map[string]any{"wallets": []any{map[string]string{"name": ProviderName, "issuer": ProviderName, "anchors_file": anchors, "key_anchors_file": anchors}}}
	return os.WriteFile(anchors, p.Anchor, 0o600)
}
