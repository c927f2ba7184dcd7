-- Keys that must not be believed any more, and since when. The trust bundle and the revocation list name them for as long as there is anything that they signed.
CREATE TABLE key_revocations (
    purpose        TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    compromised_at BIGINT NOT NULL,
    revoked_at     BIGINT NOT NULL,
    PRIMARY KEY (purpose, id),
    FOREIGN KEY (purpose, id) REFERENCES key_records (purpose, id)
);
