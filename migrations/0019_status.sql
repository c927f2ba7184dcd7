-- The CWT form of a token, in base64. journaled: the list is in the revocation journal.
ALTER TABLE status_lists ADD COLUMN token_cwt TEXT NOT NULL DEFAULT '';
ALTER TABLE status_lists ADD COLUMN journaled BIGINT NOT NULL DEFAULT 0;

-- A retired entry stays invalid whatever happens to its licence: its copy was replaced by a newer one.
ALTER TABLE status_entries ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;

-- version counts the changes of a licence, journaled is the last one that is in the revocation journal. What was changed before is journaled at the first start.
ALTER TABLE status_licences ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE status_licences ADD COLUMN journaled BIGINT NOT NULL DEFAULT 0;
ALTER TABLE status_licences ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
UPDATE status_licences SET version = 1 WHERE value <> 0;
CREATE INDEX status_licences_unjournaled ON status_licences (changed_at) WHERE journaled < version;

-- The epoch is part of the ids of lists made in it. A restored database begins a new one, and none of the indices that it forgot is given out again.
CREATE TABLE status_epochs (
    ordinal BIGINT NOT NULL PRIMARY KEY,
    epoch   TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX status_epochs_epoch ON status_epochs (epoch);

-- Tokens as they were published, for questions about the past. Of unchanged lists only one in some days is kept.
CREATE TABLE status_history (
    list_id   TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    iat       BIGINT NOT NULL,
    exp       BIGINT NOT NULL,
    token     TEXT   NOT NULL,
    token_cwt TEXT   NOT NULL,
    PRIMARY KEY (list_id, seq)
);
CREATE INDEX status_history_iat ON status_history (list_id, iat, seq);
