-- Credential offers. The id is the hash of the one in the offer's URL; codes are hashes or keyed hashes. Nothing here can be redeemed.
CREATE TABLE issuer_offers (
    id          TEXT   NOT NULL PRIMARY KEY,
    authority   TEXT   NOT NULL,
    type_id     TEXT   NOT NULL,
    licence_id  TEXT   NOT NULL,
    person_id   TEXT   NOT NULL,
    acr         TEXT   NOT NULL,
    made_by     TEXT   NOT NULL,
    code_hash   TEXT,
    tx_mac      TEXT   NOT NULL,
    state_hash  TEXT,
    tries       BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    redeemed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX issuer_offers_code ON issuer_offers (code_hash);
CREATE UNIQUE INDEX issuer_offers_state ON issuer_offers (state_hash);
CREATE INDEX issuer_offers_licence ON issuer_offers (licence_id, person_id);
CREATE INDEX issuer_offers_expires ON issuer_offers (expires_at);

-- How many credentials an authorization has given.
CREATE TABLE issuer_grants (
    id         TEXT   NOT NULL PRIMARY KEY,
    issued     BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX issuer_grants_updated ON issuer_grants (updated_at);

-- Every credential, written before it is signed. Rows are never changed or deleted: whether we signed something is decided here.
CREATE TABLE issuer_issuances (
    id           TEXT   NOT NULL PRIMARY KEY,
    authority    TEXT   NOT NULL,
    type_id      TEXT   NOT NULL,
    licence_id   TEXT   NOT NULL,
    person_id    TEXT   NOT NULL,
    offer_id     TEXT   NOT NULL,
    grant_id     TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    holder_key   TEXT   NOT NULL,
    signer_key   TEXT   NOT NULL,
    payload_hash TEXT   NOT NULL,
    status_uri   TEXT   NOT NULL,
    status_index BIGINT NOT NULL,
    issued_at    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    recorded_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX issuer_issuances_status ON issuer_issuances (status_uri, status_index);
CREATE INDEX issuer_issuances_licence ON issuer_issuances (licence_id, recorded_at);
