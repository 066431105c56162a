-- Times are Unix microseconds, so that both engines compare and round them alike.

-- +goose Up
CREATE TABLE sources (
    name       TEXT   PRIMARY KEY,
    applied_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE users (
    id              TEXT    PRIMARY KEY,
    source          TEXT    NOT NULL REFERENCES sources (name),
    external_id     TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    phone           TEXT, -- E.164; not unique: two people with one number are a conflict to report
    email           TEXT    NOT NULL,
    department      TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    employment_type TEXT    NOT NULL,
    groups          TEXT    NOT NULL, -- JSON array of strings, sorted
    active          BOOLEAN NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    UNIQUE (source, external_id)
);
CREATE INDEX users_active_phone ON users (phone) WHERE active;

CREATE TABLE accounts (
    subject    TEXT   PRIMARY KEY,
    user_id    TEXT   UNIQUE REFERENCES users (id),
    created_at BIGINT NOT NULL
);

CREATE TABLE identities (
    method      TEXT   NOT NULL,
    identifier  TEXT   NOT NULL,
    subject     TEXT   NOT NULL REFERENCES accounts (subject),
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (method, identifier)
);
CREATE INDEX identities_subject ON identities (subject);

CREATE TABLE sessions (
    sid            TEXT   PRIMARY KEY,
    subject        TEXT   NOT NULL REFERENCES accounts (subject),
    client_id      TEXT   NOT NULL,
    code_use       TEXT   NOT NULL UNIQUE, -- a code works once, whatever the store of codes has lost
    method         TEXT   NOT NULL,
    identifier     TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    tier           TEXT   NOT NULL,
    device         TEXT   NOT NULL,
    address        TEXT   NOT NULL,
    auth_time      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    revoked_at     BIGINT,
    revoked_reason TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX sessions_live_subject ON sessions (subject) WHERE revoked_at IS NULL;

CREATE TABLE signing_keys (
    kid          TEXT   PRIMARY KEY,
    algorithm    TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('next', 'current', 'previous', 'retired', 'revoked')),
    sealed       BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    activated_at BIGINT NOT NULL
);
-- However many replicas start together, one key of an algorithm signs.
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (algorithm) WHERE state = 'current';

CREATE TABLE audit_events (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    actor     TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    sid       TEXT   NOT NULL,
    address   TEXT   NOT NULL,
    phone     TEXT   NOT NULL, -- masked
    reason    TEXT   NOT NULL,
    detail    TEXT   NOT NULL  -- JSON object, or empty
);
CREATE INDEX audit_events_at ON audit_events (at);

-- +goose Down
DROP TABLE audit_events, signing_keys, sessions, identities, accounts, users, sources;
