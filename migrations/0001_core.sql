-- Things that may happen once only: assertion ids, nonces, upstream states. The row's existence is the decision.
CREATE TABLE claims (
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX claims_expires ON claims (expires_at);

-- Audit events are written in the transaction they describe; seq and chain are filled in later by one background step, so that no
-- login waits for the chain.
CREATE TABLE audit_events (
    id       TEXT   NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    actor    TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    client   TEXT   NOT NULL,
    trace_id TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    seq      BIGINT,
    chain    TEXT
);
CREATE UNIQUE INDEX audit_events_seq ON audit_events (seq);
CREATE INDEX audit_events_unchained ON audit_events (id) WHERE seq IS NULL;

-- The head of the audit chain after each batch, signed by the audit key.
CREATE TABLE audit_heads (
    seq       BIGINT NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    chain     TEXT   NOT NULL,
    signature TEXT   NOT NULL
);

-- One row per background job: who runs it until when.
CREATE TABLE leases (
    name    TEXT   NOT NULL PRIMARY KEY,
    holder  TEXT   NOT NULL,
    until   BIGINT NOT NULL
);
