-- Token status lists. seq counts the publications begun, token_seq is the one that token came from: a token never replaces a later one.
CREATE TABLE status_lists (
    id            TEXT   NOT NULL PRIMARY KEY,
    pool          TEXT   NOT NULL,
    ordinal       BIGINT NOT NULL,
    size          BIGINT NOT NULL,
    open          BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    begun_at      BIGINT NOT NULL,
    token_seq     BIGINT NOT NULL,
    token         TEXT   NOT NULL,
    token_iat     BIGINT NOT NULL,
    token_exp     BIGINT NOT NULL
);
CREATE UNIQUE INDEX status_lists_pool ON status_lists (pool, ordinal);
CREATE INDEX status_lists_live ON status_lists (expires_at);

-- One row per index that was given out; the key is what keeps an index from being given out twice. value is what is published; next_value takes
-- its place at next_at.
CREATE TABLE status_entries (
    list_id     TEXT   NOT NULL,
    idx         BIGINT NOT NULL,
    licence_id  TEXT   NOT NULL,
    issuance_id TEXT   NOT NULL,
    value       BIGINT NOT NULL,
    next_value  BIGINT NOT NULL,
    next_at     BIGINT,
    PRIMARY KEY (list_id, idx)
);
CREATE INDEX status_entries_licence ON status_entries (licence_id);
CREATE INDEX status_entries_set ON status_entries (list_id, idx) WHERE value <> 0;
CREATE INDEX status_entries_next ON status_entries (next_at, list_id) WHERE next_at IS NOT NULL;

-- The value of each licence that has entries or was changed. Its row lock makes an allocation and a legal act at the same time wait for
-- each other: without it the new entry would be missed.
CREATE TABLE status_licences (
    licence_id TEXT   NOT NULL PRIMARY KEY,
    value      BIGINT NOT NULL,
    locks      BIGINT NOT NULL
);

-- What was about to be signed, written before it was.
CREATE TABLE status_publications (
    list_id  TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    iat      BIGINT NOT NULL,
    exp      BIGINT NOT NULL,
    nonzero  BIGINT NOT NULL,
    digest   TEXT   NOT NULL,
    PRIMARY KEY (list_id, seq)
);
