package offer

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// derivedKeys are the keys of one use each that come from Config.Secret: one key for two uses would let a value made for one
// be presented for the other.
type derivedKeys struct {
	code, txCode, txMAC, state []byte
}

func deriveKeys(secret []byte) derivedKeys {
	return derivedKeys{
		code:   port.MAC(secret, "hufu/issuer/pre-authorized-code/1"),
		txCode: port.MAC(secret, "hufu/issuer/tx-code/1"),
		txMAC:  port.MAC(secret, "hufu/issuer/tx-code-mac/1"),
		state:  port.MAC(secret, "hufu/issuer/issuer-state/1"),
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// preAuthorizedCode, issuerState and txCode are functions of the offer's opaque id. So the offer can be shown again (a reloaded
// page, an offer fetched by reference on another node) while the database keeps nothing from which to compute them.
func (d *Desk) preAuthorizedCode(opaque string) string { return b64(port.MAC(d.keys.code, opaque)) }

func (d *Desk) issuerState(opaque string) string { return b64(port.MAC(d.keys.state, opaque)) }

// txCode returns six digits. The bias of the modulus is 2^-44 of a digit.
func (d *Desk) txCode(opaque string) string {
	n := binary.BigEndian.Uint64(port.MAC(d.keys.txCode, opaque))
	return fmt.Sprintf("%06d", n%1_000_000)
}

// txMAC is what is kept of a transaction code: keyed, because a plain hash of six digits is undone in a millisecond.
func (d *Desk) txMAC(offerID, txCode string) string {
	return b64(port.MAC(d.keys.txMAC, offerID, txCode))
}
