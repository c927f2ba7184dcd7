-- The last steps of each client, for its developer: bounded, and never a code, token, secret or value of a person. fold names an entry: refusals
-- that say the same are one, with a count.
CREATE TABLE oidc_trail (
    client_id   TEXT    NOT NULL,
    fold        TEXT    NOT NULL,
    step        TEXT    NOT NULL,
    ok          INTEGER NOT NULL,
    code        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    ties        TEXT    NOT NULL,
    trace       TEXT    NOT NULL,
    seen        BIGINT  NOT NULL,
    first_at    BIGINT  NOT NULL,
    at          BIGINT  NOT NULL,
    PRIMARY KEY (client_id, fold)
);
CREATE INDEX oidc_trail_at ON oidc_trail (at);
