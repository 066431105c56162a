-- +goose Up
-- One row for each text, whatever became of it. Rows are written once and never changed: what comes later, and
-- perhaps before the row, stands in tables of its own.
CREATE TABLE texts (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT  NOT NULL,
    phone       TEXT    NOT NULL, -- E.164: "did my text arrive" is asked by number
    country     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    challenge   TEXT    NOT NULL, -- '' where there is no code in it
    client_id   TEXT    NOT NULL,
    stranger    BOOLEAN NOT NULL,
    segments    INTEGER NOT NULL,
    cost        BIGINT  NOT NULL, -- millionths of the price list's currency
    provider    TEXT    NOT NULL,
    provider_id TEXT    NOT NULL, -- '' where no provider took it
    class       TEXT    NOT NULL, -- '' where one did
    code        INTEGER NOT NULL,
    rule        TEXT    NOT NULL
);
CREATE INDEX texts_at ON texts (at);
CREATE INDEX texts_phone ON texts (phone, at);
CREATE UNIQUE INDEX texts_provider_id ON texts (provider, provider_id) WHERE provider_id <> '';
-- What shows whether strangers' codes are used, country by country (M7).
CREATE INDEX texts_strangers ON texts (country, at) WHERE stranger AND kind = 'code' AND class = '';

-- How far each text has come. A row may be here before the text's: another replica may have sent it.
CREATE TABLE deliveries (
    provider    TEXT    NOT NULL,
    provider_id TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    rank        INTEGER NOT NULL, -- only ever rises
    code        INTEGER NOT NULL,
    class       TEXT    NOT NULL,
    first_at    BIGINT  NOT NULL, -- of the first news
    at          BIGINT  NOT NULL, -- of this status
    PRIMARY KEY (provider, provider_id)
) WITH (fillfactor = 70); -- a text moves two or three times, in place: no index holds what that changes
CREATE INDEX deliveries_first_at ON deliveries (first_at);

-- Whose code was used. A person may be quicker than the batch that their text is written in.
CREATE TABLE redemptions (
    challenge TEXT   PRIMARY KEY,
    at        BIGINT NOT NULL
);
CREATE INDEX redemptions_at ON redemptions (at);

-- Numbers to which texts have failed in a way that speaks of the number (X2).
CREATE TABLE undeliverable (
    phone    TEXT    PRIMARY KEY, -- E.164
    class    TEXT    NOT NULL,
    code     INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    hits     INTEGER NOT NULL,
    first_at BIGINT  NOT NULL,
    last_at  BIGINT  NOT NULL,
    until    BIGINT  NOT NULL -- up to when it is sent nothing; 0 for one that has not failed often enough
);
CREATE INDEX undeliverable_last_at ON undeliverable (last_at);

INSERT INTO jobs (name, due_at, cursor) VALUES ('texts', 0, '');

-- +goose Down
DELETE FROM jobs WHERE name = 'texts';
DROP TABLE undeliverable, redemptions, deliveries, texts;
