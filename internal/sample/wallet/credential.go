package wallet

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// Credential is one credential in the wallet.
type Credential struct {
	Issuer, Configuration string
	// Format is the Credential Format Identifier; Type the vct or the document type.
	Format, Type string
	// Text is the SD-JWT VC as it was issued, with all disclosures.
	Text       string
	Key        jose.SigningKey
	ReceivedAt time.Time
}

// Claims are all claims of the credential. The issuer's signature was checked when it was taken.
func (c Credential) Claims() (map[string]any, error) {
	p, err := sdjwt.Parse(c.Text)
	if err != nil {
		return nil, err
	}
	return p.UnverifiedClaims(), nil
}

// Present shows everything but the withheld claims, with a key binding proof over the verifier's audience and nonce.
func (c Credential) Present(audience, nonce string, at time.Time, withhold ...sdjwt.Path) (string, error) {
	p, err := sdjwt.Parse(c.Text)
	if err != nil {
		return "", err
	}
	shown, err := p.Withhold(withhold...)
	if err != nil {
		return "", err
	}
	return sdjwt.BindKey(shown, c.Key, audience, nonce, at)
}

// PresentOnly shows the named claims and withholds all others that can be withheld.
func (c Credential) PresentOnly(audience, nonce string, at time.Time, show ...sdjwt.Path) (string, error) {
	p, err := sdjwt.Parse(c.Text)
	if err != nil {
		return "", err
	}
	shown, err := p.Present(show...)
	if err != nil {
		return "", err
	}
	return sdjwt.BindKey(shown, c.Key, audience, nonce, at)
}

// stored is the file form of a credential.
type stored struct {
	Warning       string          `json:"warning"`
	Issuer        string          `json:"issuer"`
	Configuration string          `json:"configuration"`
	Credential    string          `json:"credential"`
	Key           json.RawMessage `json:"key"`
	ReceivedAt    time.Time       `json:"received_at"`
}

const warning = "for testing only: the private key stands here in the clear"

// Save writes the wallet to a file that only its owner can read.
func (w *Wallet) Save(path string) error {
	var list []stored
	for _, c := range w.Credentials() {
		key, err := jose.MarshalPrivateJWK(c.Key)
		if err != nil {
			return err
		}
		list = append(list, stored{Warning: warning, Issuer: c.Issuer, Configuration: c.Configuration, Credential: c.Text, Key: key,
			ReceivedAt: c.ReceivedAt})
	}
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

// Load adds the credentials of a file to the wallet.
func (w *Wallet) Load(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list []stored
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	for _, s := range list {
		key, err := jose.ParsePrivateJWK(s.Key)
		if err != nil {
			return fmt.Errorf("wallet: %w", err)
		}
		w.keep(Credential{Issuer: s.Issuer, Configuration: s.Configuration, Text: s.Credential, Key: key, ReceivedAt: s.ReceivedAt})
	}
	return nil
}
