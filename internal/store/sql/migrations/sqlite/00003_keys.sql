-- As the PostgreSQL one, where the reasons stand.

-- +goose Up
ALTER TABLE signing_keys ADD COLUMN wrapped_by TEXT NOT NULL DEFAULT '';
ALTER TABLE signing_keys ADD COLUMN stopped_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN ended_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN longest INTEGER NOT NULL DEFAULT 86400000000;
ALTER TABLE signing_keys ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN origin TEXT NOT NULL DEFAULT 'generated';
ALTER TABLE signing_keys ADD COLUMN reason TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (algorithm) WHERE state = 'next';

CREATE TABLE key_set (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO key_set (id, revision) VALUES (1, 1);

CREATE TABLE replicas (
    id         TEXT    PRIMARY KEY,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    revision   INTEGER NOT NULL
);

CREATE TABLE verifiers (
    name     TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    fetches  INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (name, source)
);
CREATE INDEX verifiers_last_at ON verifiers (last_at);

INSERT INTO jobs (name, due_at, cursor) VALUES ('keys', 0, '');

-- +goose Down
DELETE FROM jobs WHERE name = 'keys';
DROP TABLE verifiers;
DROP TABLE replicas;
DROP TABLE key_set;
DROP INDEX signing_keys_next;
ALTER TABLE signing_keys DROP COLUMN wrapped_by;
ALTER TABLE signing_keys DROP COLUMN stopped_at;
ALTER TABLE signing_keys DROP COLUMN ended_at;
ALTER TABLE signing_keys DROP COLUMN longest;
ALTER TABLE signing_keys DROP COLUMN revision;
ALTER TABLE signing_keys DROP COLUMN origin;
ALTER TABLE signing_keys DROP COLUMN reason;
