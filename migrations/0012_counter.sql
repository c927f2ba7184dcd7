-- What a department's counter checked: no claim values, nothing that names a holder. The database is the department's own.
CREATE TABLE counter_checks (
    receipt        TEXT   NOT NULL PRIMARY KEY,
    at             BIGINT NOT NULL,
    vct            TEXT   NOT NULL,
    type_zh        TEXT   NOT NULL,
    type_en        TEXT   NOT NULL,
    issuer_code    TEXT   NOT NULL,
    issuer_zh      TEXT   NOT NULL,
    issuer_en      TEXT   NOT NULL,
    verdict        TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    mode           TEXT   NOT NULL,
    purpose        TEXT   NOT NULL,
    source         TEXT   NOT NULL,
    bundle_version BIGINT NOT NULL,
    bundle_as_of   BIGINT NOT NULL,
    status_as_of   BIGINT NOT NULL,
    person         TEXT   NOT NULL
);
CREATE INDEX counter_checks_at ON counter_checks (at, receipt);

-- Keys that the counter made for itself: they guard only its own nonces and forms.
CREATE TABLE counter_keys (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
