-- As the PostgreSQL one, where the reasons stand.

-- +goose Up
CREATE TABLE texts (
    id          INTEGER PRIMARY KEY,
    at          BIGINT  NOT NULL,
    phone       TEXT    NOT NULL,
    country     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    challenge   TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    stranger    BOOLEAN NOT NULL,
    segments    INTEGER NOT NULL,
    cost        BIGINT  NOT NULL,
    provider    TEXT    NOT NULL,
    provider_id TEXT    NOT NULL,
    class       TEXT    NOT NULL,
    code        INTEGER NOT NULL,
    rule        TEXT    NOT NULL
);
CREATE INDEX texts_at ON texts (at);
CREATE INDEX texts_phone ON texts (phone, at);
CREATE UNIQUE INDEX texts_provider_id ON texts (provider, provider_id) WHERE provider_id <> '';
CREATE INDEX texts_strangers ON texts (country, at) WHERE stranger AND kind = 'code' AND class = '';

CREATE TABLE deliveries (
    provider    TEXT    NOT NULL,
    provider_id TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    rank        INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    class       TEXT    NOT NULL,
    first_at    BIGINT  NOT NULL,
    at          BIGINT  NOT NULL,
    PRIMARY KEY (provider, provider_id)
);
CREATE INDEX deliveries_first_at ON deliveries (first_at);

CREATE TABLE redemptions (
    challenge TEXT   PRIMARY KEY,
    at        BIGINT NOT NULL
);
CREATE INDEX redemptions_at ON redemptions (at);

CREATE TABLE undeliverable (
    phone    TEXT    PRIMARY KEY,
    class    TEXT    NOT NULL,
    code     INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    hits     INTEGER NOT NULL,
    first_at BIGINT  NOT NULL,
    last_at  BIGINT  NOT NULL,
    until    BIGINT  NOT NULL
);
CREATE INDEX undeliverable_last_at ON undeliverable (last_at);

INSERT INTO jobs (name, due_at, cursor) VALUES ('texts', 0, '');

-- +goose Down
DELETE FROM jobs WHERE name = 'texts';
DROP TABLE undeliverable;
DROP TABLE redemptions;
DROP TABLE deliveries;
DROP TABLE texts;
