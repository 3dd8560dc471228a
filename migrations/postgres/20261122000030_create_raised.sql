-- Alerts a stream has raised, and before which packet it stood then: a stream that goes back to an earlier one may raise them no more.
CREATE TABLE raised (
    stream BIGINT NOT NULL,
    flag TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    shown TEXT,
    PRIMARY KEY (stream, flag)
);
