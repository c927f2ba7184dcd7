-- What holders reported as wrong in their licences, and what the authority answered. Which entry, the text and the answer are sealed; what can be
-- read here: which licence, which authority, who asked, when, and how it ended.
CREATE TABLE correction_reports (
    id          TEXT   NOT NULL PRIMARY KEY,
    licence_id  TEXT   NOT NULL,
    authority   TEXT   NOT NULL,
    person_id   TEXT   NOT NULL,
    digest      TEXT   NOT NULL,
    place       BIGINT NOT NULL,
    sealed      TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    answer      TEXT   NOT NULL,
    answered_by TEXT   NOT NULL,
    reported_at BIGINT NOT NULL,
    answered_at BIGINT NOT NULL
);
-- The same report twice is one, as long as nobody answered it.
CREATE UNIQUE INDEX correction_reports_digest ON correction_reports (digest) WHERE state = 'open';
-- A licence has a few places for open reports; two reports that come at once can't take the same one.
CREATE UNIQUE INDEX correction_reports_place ON correction_reports (licence_id, place) WHERE state = 'open';
CREATE INDEX correction_reports_person ON correction_reports (person_id, id);
CREATE INDEX correction_reports_authority ON correction_reports (authority, state, id);
