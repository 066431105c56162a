-- +goose Up
-- What a version before this one adds in the middle of an upgrade gets the defaults: its key may sign
-- for the longest that any token may live, a day.
ALTER TABLE signing_keys
    ADD COLUMN wrapped_by TEXT   NOT NULL DEFAULT '', -- which wrapper sealed it; '' by that version
    ADD COLUMN stopped_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN ended_at   BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN longest    BIGINT NOT NULL DEFAULT 86400000000, -- microseconds that a token signed by it lives at most
    ADD COLUMN revision   BIGINT NOT NULL DEFAULT 0,           -- of the key set that first had it
    ADD COLUMN origin     TEXT   NOT NULL DEFAULT 'generated',
    ADD COLUMN reason     TEXT   NOT NULL DEFAULT '';
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (algorithm) WHERE state = 'next';

-- Each change of the keys names the revision that it was planned on, and makes the next: of changes
-- planned on one revision, by whatever replica or command, one is made.
CREATE TABLE key_set (
    id       SMALLINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT   NOT NULL
);
INSERT INTO key_set (id, revision) VALUES (1, 1);

-- Who serves the keys, and up to which revision.
CREATE TABLE replicas (
    id         TEXT   PRIMARY KEY,
    version    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    revision   BIGINT NOT NULL
);

-- Who fetches the keys, and which revision they got last.
CREATE TABLE verifiers (
    name     TEXT   NOT NULL,
    source   TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    fetches  BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (name, source)
);
CREATE INDEX verifiers_last_at ON verifiers (last_at);

INSERT INTO jobs (name, due_at, cursor) VALUES ('keys', 0, '');

-- +goose Down
DELETE FROM jobs WHERE name = 'keys';
DROP TABLE verifiers, replicas, key_set;
DROP INDEX signing_keys_next;
ALTER TABLE signing_keys
    DROP COLUMN wrapped_by, DROP COLUMN stopped_at, DROP COLUMN ended_at, DROP COLUMN longest,
    DROP COLUMN revision, DROP COLUMN origin, DROP COLUMN reason;
