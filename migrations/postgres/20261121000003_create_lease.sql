-- Several server processes on one database: who processes which stream.

-- A process is alive while its connection is open, until `expires_us` by this database's clock at most; it says so again
-- before that.
CREATE TABLE process (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    backend       BIGINT NOT NULL,         -- its connection's process here
    expires_us    BIGINT NOT NULL,
    done_position BIGINT NOT NULL          -- of its streams' packets up to here in the journal all output is stored
);

-- Whoever holds a stream alone may store what it gives. Every change of hands makes a new `epoch`, so that what was
-- computed under an earlier one is refused, also where the same process holds the stream again.
CREATE TABLE stream_lease (
    stream      BIGINT NOT NULL PRIMARY KEY REFERENCES stream (id),
    process     TEXT COLLATE "C",          -- NULL: free
    epoch       BIGINT NOT NULL DEFAULT 0,
    ready       BIGINT NOT NULL DEFAULT 0  -- whether its holder has brought it up to the journal
);
CREATE INDEX stream_lease_process ON stream_lease (process, stream);
