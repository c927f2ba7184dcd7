-- One Credential Response: all copies of one licence for one device. Rows of issuer_issuances belong to one by set_id; those from before have none.
CREATE TABLE issuer_sets (
    id               TEXT   NOT NULL PRIMARY KEY,
    authority        TEXT   NOT NULL,
    configuration_id TEXT   NOT NULL,
    licence_id       TEXT   NOT NULL,
    grant_id         TEXT   NOT NULL,
    instance         TEXT   NOT NULL,
    copies           BIGINT NOT NULL,
    event            TEXT   NOT NULL,
    changed_at       BIGINT NOT NULL,
    recorded_at      BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    superseded_at    BIGINT,
    retired_at       BIGINT
);
CREATE INDEX issuer_sets_licence ON issuer_sets (licence_id, configuration_id, instance);
CREATE INDEX issuer_sets_superseded ON issuer_sets (superseded_at);
ALTER TABLE issuer_issuances ADD COLUMN set_id TEXT NOT NULL DEFAULT '';
ALTER TABLE issuer_issuances ADD COLUMN configuration_id TEXT NOT NULL DEFAULT '';
CREATE INDEX issuer_issuances_set ON issuer_issuances (set_id);

-- A grant may give so many responses within a time that begins here.
ALTER TABLE issuer_grants ADD COLUMN began_at BIGINT NOT NULL DEFAULT 0;

-- Deferred requests; the id is the hash of the transaction_id.
CREATE TABLE issuer_pending (
    id               TEXT   NOT NULL PRIMARY KEY,
    authority        TEXT   NOT NULL,
    configuration_id TEXT   NOT NULL,
    licence_id       TEXT   NOT NULL,
    person_id        TEXT   NOT NULL,
    grant_id         TEXT   NOT NULL,
    holder_keys      TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ended_at         BIGINT NOT NULL
);
CREATE INDEX issuer_pending_expires ON issuer_pending (expires_at);

-- Whether an authority that wants to be asked lets copies of a licence go to wallets.
CREATE TABLE issuer_releases (
    licence_id   TEXT   NOT NULL PRIMARY KEY,
    authority    TEXT   NOT NULL,
    type_id      TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    decided_by   TEXT   NOT NULL,
    requested_at BIGINT NOT NULL,
    decided_at   BIGINT NOT NULL
);
CREATE INDEX issuer_releases_authority ON issuer_releases (authority, state, requested_at);
