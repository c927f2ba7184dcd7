package httpx

import (
	"net/netip"
	"testing"
)

func TestE01PublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "223.5.5.5": true, "2400:3200::1": true, "2606:4700:4700::1111": true, "::ffff:1.1.1.1": true,
		"127.0.0.1": false, "::1": false, "::": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "::ffff:0:7f00:1": false, "::ffff:0:a00:1": false,
		"10.0.0.1": false, "169.254.169.254": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::7f00:1": false,
		"2002:7f00:1::": false, "2001::1": false, "fec0::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "ff02::1": false,
		"4000::1": false, "100::1": false, "255.255.255.255": false, "224.0.0.1": false, "0.1.2.3": false, "100.64.0.1": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
