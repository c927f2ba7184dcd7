-- The departments' register of licences. Who holds a licence, its fields and the authority's own numbers are in sealed; the _index columns
-- are keyed hashes. What can be read here: which authority, which type, which state, when.
CREATE TABLE licences (
    id              TEXT   NOT NULL PRIMARY KEY,
    type_id         TEXT   NOT NULL,
    issuer          TEXT   NOT NULL,
    record_index    TEXT   NOT NULL,
    holder_index    TEXT   NOT NULL,
    reference_index TEXT   NOT NULL,
    sealed          TEXT   NOT NULL,
    valid_from      TEXT   NOT NULL,
    valid_to        TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    status_since    BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
-- An authority's own number is its own: imports are idempotent by it.
CREATE UNIQUE INDEX licences_record ON licences (issuer, type_id, record_index);
CREATE INDEX licences_holder ON licences (holder_index, id);
CREATE INDEX licences_reference ON licences (issuer, reference_index, id);
CREATE INDEX licences_issuer ON licences (issuer, id);

-- Every legal act on a licence; rows are never changed.
CREATE TABLE licence_changes (
    licence_id   TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    operation    TEXT   NOT NULL,
    from_status  TEXT   NOT NULL,
    to_status    TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    effective_at BIGINT NOT NULL,
    recorded_at  BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    PRIMARY KEY (licence_id, seq)
);
