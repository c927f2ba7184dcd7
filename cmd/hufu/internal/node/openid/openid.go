// Package openid is the part of the configuration file that is about the OpenID Provider.
package openid

import (
	"cmp"
	"time"

	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/token"
	"github.com/hufu-id/hufu/web"
)

// Config is the entry "openid".
type Config struct {
	// Profile, when set, is the one security profile of this server: core, national, fapi2 or haip. Clients of another are refused, and the metadata lists
	// only what it allows. Default: clients of every profile.
	Profile string `yaml:"profile"`
	// AuthorizationDetails are the types of authorization_details (RFC 9396) that clients may ask for, by name.
	AuthorizationDetails map[string]DetailType `yaml:"authorization_details"`
	// Wallets are the wallet providers that are trusted to vouch for their wallets. Default none: wallets are public clients then.
	Wallets []WalletProvider `yaml:"wallets"`
	// WalletRenewal is how long wallets may renew credentials that they took by an offer.
	WalletRenewal Renewal `yaml:"wallet_renewal"`
}

const maxRenewalDays = int(token.MaxRenewal / (24 * time.Hour))

// Renewal is in days; zero is the default.
type Renewal struct {
	// IdleDays is how long after the last use, MaxDays how long after the offer. Default 90 and 365; MaxDays is at most 365.
	IdleDays int `yaml:"idle_days"`
	MaxDays  int `yaml:"max_days"`
}

// Lives returns the durations, with their defaults.
func (r Renewal) Lives() token.Renewal {
	const day = 24 * time.Hour
	return token.Renewal{Idle: time.Duration(cmp.Or(r.IdleDays, 90)) * day, Max: time.Duration(cmp.Or(r.MaxDays, 365)) * day}
}

// DetailType is one type, with every word that a person sees of it.
type DetailType struct {
	// Title says what it allows, as in "may look at your medical insurance account".
	Title web.Text `yaml:"title"`
	// Actions and DataTypes are the allowed values of these members, with their words; Locations the allowed addresses.
	Actions   map[string]web.Text `yaml:"actions"`
	DataTypes map[string]web.Text `yaml:"datatypes"`
	Locations []string            `yaml:"locations"`
}

// Check reports what is wrong.
func (c Config) Check(bad func(format string, args ...any)) {
	if len(client.PolicyOf(c.Profile).AuthMethods) == 0 {
		bad("openid: profile %q is none of core, national, fapi2 and haip", c.Profile)
	}
	if r := c.WalletRenewal; min(r.IdleDays, r.MaxDays) < 0 || max(r.IdleDays, r.MaxDays) > maxRenewalDays {
		bad("openid: wallet_renewal: idle_days and max_days are 1 to %d", maxRenewalDays)
	}
	if _, err := c.Providers(); err != nil {
		bad("%v", err)
	}
	if _, err := c.Makers(); err != nil {
		bad("%v", err)
	}
	for name, t := range c.AuthorizationDetails {
		words := []web.Text{t.Title}
		for _, m := range []map[string]web.Text{t.Actions, t.DataTypes} {
			for _, w := range m {
				words = append(words, w)
			}
		}
		for _, w := range words {
			if w.ZH == "" || w.EN == "" {
				bad("openid: authorization_details: %s: title, actions and datatypes need words in zh and en", name)
				break
			}
		}
	}
}

// Catalogue returns the types as the provider takes them.
func (c Config) Catalogue() request.Catalogue {
	out := request.Catalogue{}
	for name, t := range c.AuthorizationDetails {
		out[name] = request.DetailType{Title: t.Title, Actions: t.Actions, DataTypes: t.DataTypes, Locations: t.Locations}
	}
	return out
}
