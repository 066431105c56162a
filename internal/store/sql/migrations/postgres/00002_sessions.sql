-- +goose Up
-- A refresh rewrites a session's row in place: no index may hold what it changes, and pages need room.
-- Older rows are not rewritten, which would lock out sign-ins: their 0 is read as the time of the sign-in.
ALTER TABLE sessions
    ADD COLUMN audience        TEXT    NOT NULL DEFAULT '',
    ADD COLUMN last_used_at    BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN last_address    TEXT    NOT NULL DEFAULT '',
    ADD COLUMN generation      BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN rotated_at      BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN late_generation BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN late_streak     INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN status_list     TEXT    NOT NULL DEFAULT '', -- where the status of its tokens stands; '' while lists are off
    ADD COLUMN status_index    INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN revoked_tick    BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE sessions SET (fillfactor = 85);

-- No two sessions share a place, whatever a failover has lost.
CREATE UNIQUE INDEX sessions_place ON sessions (status_list, status_index) WHERE status_list <> '';
-- What status lists are built from, in the order of commits.
CREATE INDEX sessions_revoked ON sessions (revoked_tick, status_list, status_index) WHERE revoked_tick > 0;

CREATE TABLE status_lists (
    id        TEXT    PRIMARY KEY,
    leased    INTEGER NOT NULL, -- places handed out to replicas, a block at a time
    leased_at BIGINT  NOT NULL,
    opened_at BIGINT  NOT NULL
);

-- Every revocation takes a tick of this one row first and keeps it locked until it commits: thus
-- ticks become visible in ascending order, and who reads on from the last tick it saw misses none.
CREATE TABLE revocation_clock (
    id   SMALLINT PRIMARY KEY CHECK (id = 1),
    tick BIGINT   NOT NULL
);
INSERT INTO revocation_clock (id, tick) VALUES (1, 0);

-- Work that one replica does at a time, without a leader: whoever finds it due takes the row.
CREATE TABLE jobs (
    name   TEXT   PRIMARY KEY,
    due_at BIGINT NOT NULL,
    cursor TEXT   NOT NULL -- where the next run goes on
);
INSERT INTO jobs (name, due_at, cursor) VALUES ('sweep', 0, '');

-- +goose Down
DROP TABLE jobs, revocation_clock, status_lists;
DROP INDEX sessions_revoked, sessions_place;
ALTER TABLE sessions RESET (fillfactor);
ALTER TABLE sessions
    DROP COLUMN audience, DROP COLUMN last_used_at, DROP COLUMN last_address, DROP COLUMN generation, DROP COLUMN rotated_at,
    DROP COLUMN late_generation, DROP COLUMN late_streak, DROP COLUMN status_list, DROP COLUMN status_index, DROP COLUMN revoked_tick;
