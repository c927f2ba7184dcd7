-- Persons. Everything that describes one is with her links, sealed; the id says nothing.
CREATE TABLE identity_persons (
    id          TEXT   NOT NULL PRIMARY KEY,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT
);

-- One account at a province. subject is a keyed hash: some provinces use the id number as subject.
CREATE TABLE identity_links (
    province   TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    person_id  TEXT    NOT NULL REFERENCES identity_persons (id),
    claims     TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    document   TEXT    NOT NULL,
    acr        TEXT    NOT NULL,
    level      INTEGER NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    PRIMARY KEY (province, subject)
);
CREATE INDEX identity_links_person ON identity_links (person_id);

-- Whose a document number is, by keyed hash. The row is the decision when two provinces assert one number.
CREATE TABLE identity_documents (
    document  TEXT    NOT NULL PRIMARY KEY,
    person_id TEXT    NOT NULL REFERENCES identity_persons (id),
    province  TEXT    NOT NULL,
    level     INTEGER NOT NULL,
    since     BIGINT  NOT NULL
);

-- The assurance ledger: which source said what, at which level, from when to when.
CREATE TABLE identity_assurances (
    id        TEXT    NOT NULL PRIMARY KEY,
    person_id TEXT    NOT NULL REFERENCES identity_persons (id),
    province  TEXT    NOT NULL,
    acr       TEXT    NOT NULL,
    asserted  INTEGER NOT NULL,
    level     INTEGER NOT NULL,
    amr       TEXT    NOT NULL,
    digest    TEXT    NOT NULL,
    first_at  BIGINT  NOT NULL,
    last_at   BIGINT  NOT NULL
);
CREATE INDEX identity_assurances_person ON identity_assurances (person_id, first_at);

-- Two persons, one document number: reported once, for people to look at.
CREATE TABLE identity_conflicts (
    document       TEXT   NOT NULL,
    person_id      TEXT   NOT NULL REFERENCES identity_persons (id),
    province       TEXT   NOT NULL,
    other_id       TEXT   NOT NULL REFERENCES identity_persons (id),
    other_province TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    PRIMARY KEY (document, person_id, other_id)
);
