-- Clients that take part in a login session and want to hear of its end. subject is what their ID tokens of the session say.
CREATE TABLE oidc_session_clients (
    sid        TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (sid, client_id)
);
CREATE INDEX oidc_session_clients_expires ON oidc_session_clients (expires_at);

-- Logout tokens on their way to clients (OpenID Connect Back-Channel Logout 1.0). id is the token's jti, session_id the sid towards the client.
-- state: 0 waiting, 1 delivered, 2 refused by the client, 3 given up. at is the last attempt.
CREATE TABLE oidc_logout_deliveries (
    id         TEXT    NOT NULL PRIMARY KEY,
    client_id  TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    session_id TEXT    NOT NULL,
    state      INTEGER NOT NULL,
    attempts   BIGINT  NOT NULL,
    error      TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    next_at    BIGINT  NOT NULL,
    at         BIGINT  NOT NULL
);
CREATE INDEX oidc_logout_deliveries_due ON oidc_logout_deliveries (next_at) WHERE state = 0;
CREATE INDEX oidc_logout_deliveries_client ON oidc_logout_deliveries (client_id, created_at);
CREATE INDEX oidc_logout_deliveries_created ON oidc_logout_deliveries (created_at);
