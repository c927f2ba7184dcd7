-- Imports of large files as jobs. What a department sent lies sealed in chunks until it is registered; the report lies sealed, a part for each step.
CREATE TABLE import_jobs (
    id            TEXT   NOT NULL PRIMARY KEY,
    issuer        TEXT   NOT NULL,
    client_id     TEXT   NOT NULL,
    sha256        TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    format        TEXT   NOT NULL,
    type_id       TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    -- upload names the request that is sending the file: a second one takes over from the first.
    upload        TEXT   NOT NULL,
    chunks        BIGINT NOT NULL,
    records       BIGINT NOT NULL,
    -- The cursor: the next record is number chunk_at in chunk at.
    at            BIGINT NOT NULL,
    chunk_at      BIGINT NOT NULL,
    steps         BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    unchanged     BIGINT NOT NULL,
    refused       BIGINT NOT NULL,
    rate          BIGINT NOT NULL,
    -- The hash of the report as far as it goes, and its end.
    hash_state    TEXT   NOT NULL,
    report_sha256 TEXT   NOT NULL,
    jws           TEXT   NOT NULL,
    holder        TEXT   NOT NULL,
    lease_until   BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL
);
CREATE INDEX import_jobs_issuer ON import_jobs (issuer, created_at);
CREATE INDEX import_jobs_state ON import_jobs (state, created_at);
-- One file is one job while it is under way, however often it is sent.
CREATE UNIQUE INDEX import_jobs_file ON import_jobs (issuer, sha256) WHERE sha256 <> '' AND state IN ('uploading', 'running', 'paused');

CREATE TABLE import_job_chunks (
    job_id  TEXT   NOT NULL,
    seq     BIGINT NOT NULL,
    records BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (job_id, seq)
);

CREATE TABLE import_job_reports (
    job_id TEXT   NOT NULL,
    seq    BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (job_id, seq)
);
