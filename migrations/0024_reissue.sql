-- Issuing again what a compromised key signed: one job for a key, one item for each copy in the hosted wallet that it signed. The job first walks over the
-- holdings (its cursor is the last one seen), then its items are renewed one by one.
CREATE TABLE reissue_jobs (
    id             TEXT   NOT NULL PRIMARY KEY,
    signer_key     TEXT   NOT NULL,
    rate           BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    cursor_person  TEXT   NOT NULL,
    cursor_licence TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    finished_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX reissue_jobs_one ON reissue_jobs (signer_key) WHERE state <> 'finished';
CREATE TABLE reissue_items (
    job_id     TEXT   NOT NULL REFERENCES reissue_jobs (id),
    copy_id    TEXT   NOT NULL,
    person_id  TEXT   NOT NULL,
    licence_id TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    attempts   BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, copy_id)
);
CREATE INDEX reissue_items_waiting ON reissue_items (job_id, state, attempts);
