-- The hosted wallet. A copy is one credential with its own key (key_singles, class holder), written before the key is made; it is of use only while
-- wallet_holdings names it. The credential is sealed, bound to the copy's id, and goes when the copy ends.
CREATE TABLE wallet_copies (
    id           TEXT   NOT NULL PRIMARY KEY,
    person_id    TEXT   NOT NULL,
    licence_id   TEXT   NOT NULL,
    type_id      TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    sealed       TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL
);
CREATE INDEX wallet_copies_of ON wallet_copies (person_id, licence_id, state);
CREATE INDEX wallet_copies_unfinished ON wallet_copies (state, created_at);
-- The one current copy of a person and a licence: whoever writes this row last has it.
CREATE TABLE wallet_holdings (
    person_id  TEXT NOT NULL,
    licence_id TEXT NOT NULL,
    copy_id    TEXT NOT NULL,
    PRIMARY KEY (person_id, licence_id)
);
-- What was shown, to whom, until when. The id is the hash of the secret in the link; the presentation is sealed by a key made of that secret, so that
-- nobody who has only this database can read it, and it is erased when the link ends. The row stays: it is the person's history.
CREATE TABLE wallet_shows (
    id             TEXT   NOT NULL PRIMARY KEY,
    person_id      TEXT   NOT NULL,
    licence_id     TEXT   NOT NULL,
    type_id        TEXT   NOT NULL,
    copy_id        TEXT   NOT NULL,
    preset         TEXT   NOT NULL,
    claims         TEXT   NOT NULL,
    asker          TEXT   NOT NULL,
    asker_zh       TEXT   NOT NULL,
    asker_en       TEXT   NOT NULL,
    audience       TEXT   NOT NULL,
    sealed         TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    stopped_at     BIGINT NOT NULL,
    opened         BIGINT NOT NULL,
    last_opened_at BIGINT NOT NULL
);
CREATE INDEX wallet_shows_person ON wallet_shows (person_id, created_at);
CREATE INDEX wallet_shows_expires ON wallet_shows (expires_at);
