-- What was held back anywhere, not packets alone; and alerts, with the ways they are sent.

ALTER TABLE quarantine RENAME TO quarantined_packet;

CREATE TABLE quarantine (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,             -- computed from what it is about: held once more it is the same row
    kind        TEXT NOT NULL,             -- packet, projection, inbound, delivery
    about       TEXT NOT NULL,             -- such as Observation/1; where several are, a word
    stream      BIGINT REFERENCES stream (id), -- of a packet, or of those it came of
    first_sequence BIGINT,
    last_sequence BIGINT,
    received_us BIGINT,                    -- when the packet came
    reason      TEXT NOT NULL,
    outcome     BLOB,                      -- OperationOutcome, JSON
    sha256      BLOB NOT NULL,             -- of the content
    content     BLOB NOT NULL,             -- JSON
    held_us     BIGINT NOT NULL,
    state       TEXT NOT NULL,             -- held, redriven, discarded
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
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,             -- computed from kind and cause
    kind        TEXT NOT NULL,
    severity    BIGINT NOT NULL,           -- 1 warning, 2 error, 3 critical
    about       TEXT NOT NULL,
    detail      TEXT NOT NULL,             -- for people; names nobody and no device, as it leaves the tenant
    raised_us   BIGINT NOT NULL,           -- when it was last opened
    last_us     BIGINT NOT NULL,           -- when the cause last came
    occurrences BIGINT NOT NULL,
    raising     BIGINT NOT NULL,           -- how often it was opened
    state       TEXT NOT NULL,             -- open, acknowledged
    acknowledged_us BIGINT,
    acknowledged_by TEXT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX alert_moment ON alert (tenant, raised_us, id);

CREATE TABLE alert_channel (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,             -- webhook, email
    address     TEXT NOT NULL,
    least       BIGINT NOT NULL,           -- severity from which on it is used
    PRIMARY KEY (tenant, id)
);

-- Alerts to be sent: an outbox, written together with them.
CREATE TABLE alert_dispatch (
    tenant      TEXT NOT NULL,
    alert       TEXT NOT NULL,
    raising     BIGINT NOT NULL,
    channel     TEXT NOT NULL,             -- 'log' is always there
    state       TEXT NOT NULL,             -- pending, sent, failed
    attempts    BIGINT NOT NULL,
    due_us      BIGINT NOT NULL,           -- not before; also until when whoever sends it has it
    problem     TEXT,                      -- of the last attempt
    PRIMARY KEY (tenant, alert, raising, channel)
);
CREATE INDEX alert_dispatch_due ON alert_dispatch (due_us) WHERE state = 'pending';
