-- Refresh tokens: one family for each grant, by generation. A token is a keyed hash of grant and generation, so that nothing of it is kept.
ALTER TABLE oidc_grants ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE oidc_grants ADD COLUMN offline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oidc_grants ADD COLUMN refresh_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oidc_grants ADD COLUMN refresh_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oidc_grants ADD COLUMN refresh_expires BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oidc_grants ADD COLUMN refresh_key TEXT NOT NULL DEFAULT '';
CREATE INDEX oidc_grants_session ON oidc_grants (session);

-- The name of a login towards grants and clients: it outlives the session row when the same person logs in again.
ALTER TABLE oidc_sessions ADD COLUMN sid TEXT NOT NULL DEFAULT '';

-- Pushed authorization requests (RFC 9126), by the hash of the reference. A row waits for the browser and goes with its code; that a request gave a
-- code is remembered among the claims.
CREATE TABLE oidc_pushed (
    id         TEXT    NOT NULL PRIMARY KEY,
    client_id  TEXT    NOT NULL,
    parameters TEXT    NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX oidc_pushed_expires ON oidc_pushed (expires_at);
CREATE INDEX oidc_pushed_client ON oidc_pushed (client_id, expires_at);
