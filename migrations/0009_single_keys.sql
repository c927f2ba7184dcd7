-- Keys that belong to one thing and end with it: a copy in the hosted wallet, a seal. They are never rotated. The handle is the private key sealed
-- by the key-encryption key; it is emptied when the key is destroyed, and the row stays for history.
CREATE TABLE key_singles (
    id           TEXT   NOT NULL PRIMARY KEY,
    class        TEXT   NOT NULL,
    thing        TEXT   NOT NULL,
    alg          TEXT   NOT NULL,
    public_jwk   TEXT   NOT NULL,
    handle       TEXT   NOT NULL,
    chain        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    destroyed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX key_singles_thing ON key_singles (class, thing);
