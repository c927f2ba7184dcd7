-- The register of seals. payload is the credential's payload, recorded before it is signed; credential is '' until then. payload_hash is what the trust
-- bundle names. The seal's private key is in key_singles (class seal, thing = id).
CREATE TABLE seals (
    id             TEXT   NOT NULL PRIMARY KEY,
    maker          TEXT   NOT NULL,
    owner          TEXT   NOT NULL,
    owner_name     TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    name           TEXT   NOT NULL,
    document_kinds TEXT   NOT NULL,
    valid_from     TEXT   NOT NULL,
    valid_to       TEXT   NOT NULL,
    payload        TEXT   NOT NULL,
    payload_hash   TEXT   NOT NULL,
    credential     TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    state_since    BIGINT NOT NULL,
    seq            BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE INDEX seals_owner ON seals (owner, id);
CREATE INDEX seals_maker ON seals (maker, id);

-- Every change of a seal, with the two people who made it; rows are never changed.
CREATE TABLE seal_changes (
    seal_id      TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    operation    TEXT   NOT NULL,
    from_state   TEXT   NOT NULL,
    to_state     TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    effective_at BIGINT NOT NULL,
    recorded_at  BIGINT NOT NULL,
    proposed_by  TEXT   NOT NULL,
    approved_by  TEXT   NOT NULL,
    PRIMARY KEY (seal_id, seq)
);

-- Counts the changes of a maker's seals, so that who publishes them needn't read them all to see that nothing changed.
CREATE TABLE seal_versions (
    maker   TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

-- What one person proposed and another approves or refuses. decision is '' while it is open.
CREATE TABLE seal_requests (
    id           TEXT   NOT NULL PRIMARY KEY,
    seal_id      TEXT   NOT NULL,
    maker        TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    operation    TEXT   NOT NULL,
    content      TEXT   NOT NULL,
    content_hash TEXT   NOT NULL,
    organisation TEXT   NOT NULL,
    proposed_by  TEXT   NOT NULL,
    proposed_at  BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    decision     TEXT   NOT NULL,
    decided_by   TEXT   NOT NULL,
    decided_at   BIGINT NOT NULL
);
-- The same proposal of the same person twice is one request.
CREATE UNIQUE INDEX seal_requests_open ON seal_requests (proposed_by, content_hash) WHERE decision = '';
CREATE INDEX seal_requests_maker ON seal_requests (maker, decision, proposed_at);
CREATE INDEX seal_requests_owner ON seal_requests (owner, decision, proposed_at);

-- Pictures of seals in base64, by seal.
CREATE TABLE seal_pictures (
    seal_id    TEXT NOT NULL PRIMARY KEY,
    media_type TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    body       TEXT NOT NULL
);

-- Every use of a seal: the exact protected header, recorded before it is signed. A request id of an organisation has one record for ever.
CREATE TABLE seal_uses (
    organisation  TEXT   NOT NULL,
    request_id    TEXT   NOT NULL,
    seal_id       TEXT   NOT NULL,
    content_hash  TEXT   NOT NULL,
    digest        TEXT   NOT NULL,
    document_kind TEXT   NOT NULL,
    file_name     TEXT   NOT NULL,
    media_type    TEXT   NOT NULL,
    protected     TEXT   NOT NULL,
    client_id     TEXT   NOT NULL,
    used_at       BIGINT NOT NULL,
    PRIMARY KEY (organisation, request_id)
);
CREATE INDEX seal_uses_seal ON seal_uses (seal_id, used_at, request_id);
