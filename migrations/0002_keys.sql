-- What may be signed, and the schedule of its keys. The version is the condition of every change: of two nodes that rotate at the same
-- moment one loses. Times and durations are microseconds.
CREATE TABLE key_purposes (
    purpose       TEXT   NOT NULL PRIMARY KEY,
    version       BIGINT NOT NULL,
    alg           TEXT   NOT NULL,
    rotate_every  BIGINT NOT NULL,
    publish_ahead BIGINT NOT NULL,
    keep          BIGINT NOT NULL,
    certificate   TEXT   NOT NULL
);

-- Keys. The handle is the private key sealed by the key-encryption key, which is not in the database; it is emptied when the key retires.
CREATE TABLE key_records (
    purpose      TEXT   NOT NULL REFERENCES key_purposes (purpose),
    id           TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    alg          TEXT   NOT NULL,
    public_jwk   TEXT   NOT NULL,
    handle       TEXT   NOT NULL,
    chain        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    expires_at   BIGINT,
    PRIMARY KEY (purpose, id)
);
CREATE UNIQUE INDEX key_records_one_active ON key_records (purpose) WHERE state = 'active';
CREATE UNIQUE INDEX key_records_one_next ON key_records (purpose) WHERE state = 'next';

-- The certificate authorities: the national root and one intermediate per kind.
CREATE TABLE key_authorities (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    is_current  INTEGER NOT NULL,
    certificate TEXT   NOT NULL,
    handle      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX key_authorities_current ON key_authorities (kind) WHERE is_current = 1;

-- Secrets that all nodes share (salts, MAC and cookie keys), sealed by the key-encryption key.
CREATE TABLE key_secrets (
    name       TEXT   NOT NULL PRIMARY KEY,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
