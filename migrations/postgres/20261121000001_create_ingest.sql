-- Who may send, what was sent, and how far the pipeline has come with it.

CREATE TABLE developer_key (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    sandbox     BIGINT NOT NULL,
    sha256      BYTEA NOT NULL UNIQUE,      -- of the whole key; the key itself is shown once and kept nowhere
    scope       TEXT COLLATE "C" NOT NULL,
    created_us  BIGINT NOT NULL,
    expires_us  BIGINT,
    revoked_us  BIGINT
);

-- Devices known to a tenant, and on whom they are.
CREATE TABLE device_link (
    tenant      TEXT COLLATE "C" NOT NULL,
    device      TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C",
    patient     TEXT COLLATE "C",                      -- NULL: known device, not on a patient; its packets wait
    PRIMARY KEY (tenant, device)
);

CREATE TABLE stream (
    id          BIGINT NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    device      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    UNIQUE (tenant, device, name)
);

-- Append-only. A packet is acknowledged when its row is durable.
CREATE TABLE journal (
    position    BIGINT NOT NULL PRIMARY KEY,
    stream      BIGINT NOT NULL REFERENCES stream (id),
    sequence    BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    sha256      BYTEA NOT NULL,
    packet      BYTEA NOT NULL              -- RFC 8785 JSON
);
CREATE UNIQUE INDEX journal_stream_sequence ON journal (stream, sequence);
-- Whether a stream that comes into a process's hands has anything to be brought up is one look-up.
CREATE INDEX journal_stream_position ON journal (stream, position);

-- Packets whose sequence number is taken by other content, and packets no stage could read.
CREATE TABLE quarantine (
    id          BIGINT NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    stream      BIGINT NOT NULL REFERENCES stream (id),
    sequence    BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    sha256      BYTEA NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    packet      BYTEA NOT NULL,
    UNIQUE (stream, sequence, sha256, reason)
);

-- The state of a stream's algorithms right after `sequence`, written together with what it gave.
CREATE TABLE checkpoint (
    stream      BIGINT NOT NULL REFERENCES stream (id),
    event_us    BIGINT NOT NULL,           -- all output before this time is stored
    sequence    BIGINT NOT NULL,           -- next sequence number to read
    position    BIGINT NOT NULL,           -- journal rows up to here are in the state
    state       BYTEA NOT NULL,
    PRIMARY KEY (stream, event_us)
);
