-- What is known of the clock behind a stream, by all packets up to its newest checkpoint at least.
CREATE TABLE stream_clock (
    stream      BIGINT NOT NULL PRIMARY KEY REFERENCES stream (id),
    revision    BIGINT NOT NULL,           -- how often what it says of earlier packets has changed
    state       BYTEA NOT NULL
);
