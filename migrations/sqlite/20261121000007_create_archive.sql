-- The raw archive: which blocks there are, the keys they are sealed with, how long they are kept.

-- Wrapped data keys, one a tenant and month, more where one was rotated. `wrapped` is NULL once destroyed.
CREATE TABLE archive_key (
    id            TEXT NOT NULL PRIMARY KEY,
    tenant        TEXT NOT NULL,
    period        TEXT NOT NULL,           -- month packets came in, 2026-01
    generation    BIGINT NOT NULL,
    master        TEXT NOT NULL,           -- id of the master key
    wrapped       BLOB,
    created_us    BIGINT NOT NULL,
    destroyed_us  BIGINT,
    copied        BIGINT NOT NULL,         -- whether the archive's own copy is as this row
    UNIQUE (tenant, period, generation)
);

-- Master keys: the current one is the one not retired.
CREATE TABLE archive_master (
    id            TEXT NOT NULL PRIMARY KEY,
    since_us      BIGINT NOT NULL,
    retired_us    BIGINT
);

-- The newest block of each device.
CREATE TABLE archive_head (
    tenant        TEXT NOT NULL,
    device        TEXT NOT NULL,
    number        BIGINT NOT NULL,
    name          BLOB NOT NULL,
    last_position BIGINT NOT NULL,         -- the device's packets up to here in the journal are archived
    PRIMARY KEY (tenant, device)
);

-- Every block. One with a higher number than the head's is being written.
CREATE TABLE archive_block (
    tenant        TEXT NOT NULL,
    device        TEXT NOT NULL,
    number        BIGINT NOT NULL,
    name          BLOB NOT NULL,           -- SHA-256 of its bytes
    previous      BLOB,
    key           TEXT NOT NULL REFERENCES archive_key (id),
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    from_us       BIGINT NOT NULL,         -- when its packets came
    until_us      BIGINT NOT NULL,
    streams       TEXT NOT NULL,           -- JSON: [[name, lowest sequence number, highest], …]
    packets       BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    audit         BIGINT,                  -- the deletion it fell to
    purged        BIGINT NOT NULL DEFAULT 0, -- 1: its packets are out of the journal, 2: and the block out of the archive
    PRIMARY KEY (tenant, device, number)
);
CREATE INDEX archive_block_key ON archive_block (key);
CREATE INDEX archive_block_purge ON archive_block (audit, purged) WHERE audit IS NOT NULL AND purged < 2;

-- Everything in the journal up to here is archived.
CREATE TABLE archive_progress (
    id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position      BIGINT NOT NULL
);
INSERT INTO archive_progress (id, position) VALUES (1, 0);

CREATE TABLE retention_rule (
    tenant        TEXT NOT NULL PRIMARY KEY,
    days          BIGINT NOT NULL
);

CREATE TABLE legal_hold (
    tenant        TEXT NOT NULL,
    device        TEXT NOT NULL,           -- empty: all of the tenant
    reason        TEXT NOT NULL,
    since_us      BIGINT NOT NULL,
    PRIMARY KEY (tenant, device)
);

-- Packets that were deleted lawfully: their numbers stay taken, their positions are never given again.
CREATE TABLE journal_deleted (
    stream         BIGINT NOT NULL REFERENCES stream (id),
    first_sequence BIGINT NOT NULL,
    last_sequence  BIGINT NOT NULL,
    last_position  BIGINT NOT NULL,
    PRIMARY KEY (stream, first_sequence)
);
CREATE INDEX journal_deleted_position ON journal_deleted (last_position);

-- Who did what to keys, rules, holds and data. Rows are added, never changed.
CREATE TABLE archive_audit (
    id            BIGINT NOT NULL PRIMARY KEY,
    at_us         BIGINT NOT NULL,
    who           TEXT NOT NULL,
    action        TEXT NOT NULL,
    tenant        TEXT,
    device        TEXT,
    period        TEXT,
    detail        TEXT NOT NULL,
    blocks        BIGINT NOT NULL DEFAULT 0,
    packets       BIGINT NOT NULL DEFAULT 0,
    names_sha256  BLOB                     -- of the deleted blocks' names, in the order of device and number
);
CREATE TRIGGER archive_audit_stays BEFORE UPDATE ON archive_audit
BEGIN SELECT RAISE(ABORT, 'archive_audit is append-only'); END;
CREATE TRIGGER archive_audit_remains BEFORE DELETE ON archive_audit
BEGIN SELECT RAISE(ABORT, 'archive_audit is append-only'); END;
