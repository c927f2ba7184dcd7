-- The trust bundle's published state: one row. reserved is the highest version that was ever about to be signed; version, the one
-- that is published, follows it. Neither goes back.
CREATE TABLE bundle_state (
    id           TEXT   NOT NULL PRIMARY KEY,
    version      BIGINT NOT NULL,
    reserved     BIGINT NOT NULL,
    input_digest TEXT   NOT NULL,
    as_of        BIGINT NOT NULL
);

-- The repository's files, so that every node serves the same bytes. A path has one content for ever (versions and hashes are in the
-- names), except timestamp.json. dropped_at is 0 while the file belongs to the published version.
CREATE TABLE bundle_files (
    path       TEXT   NOT NULL PRIMARY KEY,
    sha256     TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    dropped_at BIGINT NOT NULL
);
CREATE INDEX bundle_files_dropped ON bundle_files (dropped_at);
