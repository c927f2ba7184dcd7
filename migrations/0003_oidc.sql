-- Clients: the registration is one JSON document, read whole and rarely changed.
CREATE TABLE oidc_clients (
    id           TEXT   NOT NULL PRIMARY KEY,
    version      BIGINT NOT NULL,
    disabled     INTEGER NOT NULL,
    registration TEXT   NOT NULL,
    updated_at   BIGINT NOT NULL
);

-- Sessions, by the hash of the cookie's id.
CREATE TABLE oidc_sessions (
    key        TEXT   NOT NULL PRIMARY KEY,
    person_id  TEXT   NOT NULL,
    province   TEXT   NOT NULL,
    acr        TEXT   NOT NULL,
    amr        TEXT   NOT NULL,
    auth_time  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX oidc_sessions_expires ON oidc_sessions (expires_at);
CREATE INDEX oidc_sessions_person ON oidc_sessions (person_id);

-- What a person last agreed with a client.
CREATE TABLE oidc_consents (
    person_id TEXT    NOT NULL,
    client_id TEXT    NOT NULL,
    asked     TEXT    NOT NULL,
    agreed    TEXT    NOT NULL,
    standing  INTEGER NOT NULL,
    at        BIGINT  NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

-- One row per authorization, from the code to the last token. code_state: 0 none, 1 issued, 2 used, 3 burnt; the only ways on are
-- 1 -> 2 and 1 -> 3, each by one conditional statement.
CREATE TABLE oidc_grants (
    id           TEXT    NOT NULL PRIMARY KEY,
    type         TEXT    NOT NULL,
    client_id    TEXT    NOT NULL,
    person_id    TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    terms        TEXT    NOT NULL,
    code         TEXT,
    code_state   INTEGER NOT NULL,
    code_expires BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    revoked_at   BIGINT  NOT NULL
);
CREATE UNIQUE INDEX oidc_grants_code ON oidc_grants (code);
CREATE INDEX oidc_grants_expires ON oidc_grants (expires_at);
