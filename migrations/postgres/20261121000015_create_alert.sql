-- What was held back anywhere, not packets alone; and alerts, with the ways they are sent.

ALTER TABLE quarantine RENAME TO quarantined_packet;

CREATE TABLE quarantine (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,             -- computed from what it is about: held once more it is the same row
    kind        TEXT COLLATE "C" NOT NULL,             -- packet, projection, inbound, delivery
    about       TEXT COLLATE "C" NOT NULL,             -- such as Observation/1; where several are, a word
    stream      BIGINT REFERENCES stream (id), -- of a packet, or of those it came of
    first_sequence BIGINT,
    last_sequence BIGINT,
    received_us BIGINT,                    -- when the packet came
    reason      TEXT COLLATE "C" NOT NULL,
    outcome     BYTEA,                     -- OperationOutcome, JSON
    sha256      BYTEA NOT NULL,            -- of the content
    content     BYTEA NOT NULL,            -- JSON
    held_us     BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,             -- held, redriven, discarded
    settled_us  BIGINT,                    -- NULL: still held
    settled_by  TEXT,
    note        TEXT,                      -- why it was discarded
    PRIMARY KEY (tenant, id)
);
CREATE INDEX quarantine_moment ON quarantine (tenant, held_us, id);
INSERT INTO quarantine (tenant, id, kind, about, stream, first_sequence, last_sequence, received_us, reason, sha256, content,
    held_us, state)
    SELECT tenant, CAST(id AS TEXT), 'packet', 'packet', stream, sequence, sequence, received_us, reason, sha256, packet,
    received_us, 'held' FROM quarantined_packet;
DROP TABLE quarantined_packet;

-- What somebody should look at. Of one cause there is one, however often it comes.
CREATE TABLE alert (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,             -- computed from kind and cause
    kind        TEXT COLLATE "C" NOT NULL,
    severity    BIGINT NOT NULL,           -- 1 warning, 2 error, 3 critical
    about       TEXT COLLATE "C" NOT NULL,
    detail      TEXT COLLATE "C" NOT NULL,             -- for people; names nobody and no device, as it leaves the tenant
    raised_us   BIGINT NOT NULL,           -- when it was last opened
    last_us     BIGINT NOT NULL,           -- when the cause last came
    occurrences BIGINT NOT NULL,
    raising     BIGINT NOT NULL,           -- how often it was opened
    state       TEXT COLLATE "C" NOT NULL,             -- open, acknowledged
    acknowledged_us BIGINT,
    acknowledged_by TEXT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX alert_moment ON alert (tenant, raised_us, id);

CREATE TABLE alert_channel (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,             -- webhook, email
    address     TEXT COLLATE "C" NOT NULL,
    least       BIGINT NOT NULL,           -- severity from which on it is used
    PRIMARY KEY (tenant, id)
);

-- Alerts to be sent: an outbox, written together with them.
CREATE TABLE alert_dispatch (
    tenant      TEXT COLLATE "C" NOT NULL,
    alert       TEXT COLLATE "C" NOT NULL,
    raising     BIGINT NOT NULL,
    channel     TEXT COLLATE "C" NOT NULL,             -- 'log' is always there
    state       TEXT COLLATE "C" NOT NULL,             -- pending, sent, failed
    attempts    BIGINT NOT NULL,
    due_us      BIGINT NOT NULL,           -- not before; also until when whoever sends it has it
    problem     TEXT,                      -- of the last attempt
    PRIMARY KEY (tenant, alert, raising, channel)
);
CREATE INDEX alert_dispatch_due ON alert_dispatch (due_us) WHERE state = 'pending';
