-- Wallets renew credentials by offers that they redeemed, so those are kept; a sweep finds the others by this.
CREATE INDEX issuer_offers_open ON issuer_offers (expires_at) WHERE redeemed_at = 0;
