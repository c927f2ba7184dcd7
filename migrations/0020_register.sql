-- Versions of licence types live side by side: a record was checked against one. What was here before has version 1.
ALTER TABLE licences ADD COLUMN type_version BIGINT NOT NULL DEFAULT 1;
-- Who acts for an organisation that holds a licence; a keyed hash like holder_index, empty for nobody.
ALTER TABLE licences ADD COLUMN representative_index TEXT NOT NULL DEFAULT '';
-- Renewal, change and transfer make a new licence that follows an old one. Empty for none.
ALTER TABLE licences ADD COLUMN predecessor TEXT NOT NULL DEFAULT '';
ALTER TABLE licences ADD COLUMN successor TEXT NOT NULL DEFAULT '';

CREATE INDEX licences_representative ON licences (representative_index, id) WHERE representative_index <> '';
-- A licence has one predecessor, and that one has one successor.
CREATE UNIQUE INDEX licences_predecessor ON licences (predecessor) WHERE predecessor <> '';
-- An authority's own number names the newest of a chain: the older ones keep theirs.
DROP INDEX licences_record;
CREATE UNIQUE INDEX licences_record ON licences (issuer, type_id, record_index) WHERE successor = '';
