-- Delivery: triggers become operations, operations wait in the lane of their patient, and what a receiver has is remembered.

ALTER TABLE export_trigger ADD COLUMN operation BIGINT;   -- the one that was made of it, whose state is then 'taken'
CREATE INDEX export_trigger_ready ON export_trigger (tenant, episode, export) WHERE state = 'ready';
-- What was stored up to then is in operations of this export.
ALTER TABLE episode_export ADD COLUMN gathered_us BIGINT;

CREATE TABLE operation (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT NOT NULL,
    export      TEXT NOT NULL,             -- the data-export
    patient     TEXT NOT NULL,
    episode     TEXT NOT NULL,
    name        TEXT NOT NULL,             -- the export of the episode's profile
    occurrence  TEXT NOT NULL,             -- the last one it is made of
    state       TEXT NOT NULL,             -- pending, in_progress, succeeded, failed
    attempts    BIGINT NOT NULL,           -- in a row that brought nothing
    created_us  BIGINT NOT NULL,
    finished_us BIGINT,
    sent        BIGINT NOT NULL,           -- resources the receiver has for it
    refused     BIGINT NOT NULL,
    error       TEXT,                      -- JSON: operation, status, message; tells nothing of a patient
    discarded   TEXT                       -- why nobody needs it any more
);
CREATE INDEX operation_lane ON operation (tenant, export, patient, number) WHERE state IN ('pending', 'in_progress');
CREATE INDEX operation_state ON operation (tenant, state, number);
CREATE INDEX operation_finished ON operation (finished_us) WHERE finished_us IS NOT NULL;

-- What an operation has still to send, and what of it was refused. What was sent is in delivered.
CREATE TABLE operation_item (
    operation   BIGINT NOT NULL,
    ordinal     BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    refused     BIGINT NOT NULL,           -- 0: to be sent, 1: by the receiver, 2: by this server's validator
    entry       TEXT,                      -- which entry of what was sent it was
    held        TEXT,                      -- its row in quarantine
    PRIMARY KEY (operation, ordinal)
);

CREATE INDEX operation_item_held ON operation_item (held) WHERE held IS NOT NULL;

-- The last requests of an operation and their answers, sealed.
CREATE TABLE operation_exchange (
    operation   BIGINT NOT NULL,
    at_us       BIGINT NOT NULL,
    request     TEXT NOT NULL,             -- method and path without a query
    status      BIGINT,                    -- NULL: no answer
    content     BYTEA NOT NULL,
    PRIMARY KEY (operation, at_us)
);

-- What goes to one target about one patient, in order, by one worker at a time.
CREATE TABLE delivery_lane (
    tenant      TEXT NOT NULL,
    export      TEXT NOT NULL,
    patient     TEXT NOT NULL,
    due_us      BIGINT,                    -- NULL: nothing waits
    holder      TEXT,
    epoch       BIGINT NOT NULL,           -- how often it changed hands
    until_us    BIGINT NOT NULL,           -- until when it is held
    PRIMARY KEY (tenant, export, patient)
);
CREATE INDEX delivery_lane_due ON delivery_lane (due_us) WHERE due_us IS NOT NULL;

-- What receivers said they have.
CREATE TABLE delivered (
    tenant      TEXT NOT NULL,
    destination TEXT NOT NULL,             -- base URL or folder
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    export      TEXT NOT NULL,             -- by which it was sent
    patient     TEXT NOT NULL,             -- about whom
    version     BIGINT NOT NULL,           -- that was sent
    digest      BYTEA NOT NULL,            -- SHA-256 of what was sent
    remote      TEXT NOT NULL,             -- id at the receiver
    sent_us     BIGINT NOT NULL,
    checked_us  BIGINT,                    -- when it was last read back
    finding     TEXT,                      -- stored, missing, differing: what was found then
    PRIMARY KEY (tenant, destination, kind, id)
);
CREATE INDEX delivered_unchecked ON delivered (tenant, destination, sent_us) WHERE checked_us IS NULL;
