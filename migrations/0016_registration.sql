-- Clients that registered themselves (RFC 7591): what their quota and the sweep go by. used: it has authenticated once.
ALTER TABLE oidc_clients ADD COLUMN dynamic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oidc_clients ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oidc_clients ADD COLUMN registered_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX oidc_clients_dynamic ON oidc_clients (dynamic, used, registered_at);

-- Initial access tokens, by hash. remaining goes down by one conditional statement for each registration.
CREATE TABLE oidc_initial_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    note       TEXT   NOT NULL,
    remaining  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX oidc_initial_tokens_expires ON oidc_initial_tokens (expires_at);
