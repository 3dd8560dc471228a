-- What each stream of a device last said about the device itself. The Device is made of all of them.
CREATE TABLE device_statement (
    tenant      TEXT NOT NULL,
    device      TEXT NOT NULL,
    stream      TEXT NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (tenant, device, stream)
);

-- What a stream has that its newest checkpoint does not know is one look-up, as in PostgreSQL: a server that starts reads
-- none of the journal but that.
CREATE INDEX journal_stream_position ON journal (stream, position);
