-- Who measured what a patient has only one of, a row for each source and window or reading. Of those that meet one counts.
CREATE TABLE claim (
    tenant      TEXT NOT NULL,
    patient     TEXT NOT NULL,
    episode     TEXT NOT NULL,             -- empty: no episode
    signal      TEXT NOT NULL,
    end_us      BIGINT NOT NULL,
    start_us    BIGINT NOT NULL,
    device      TEXT NOT NULL,
    stream      TEXT NOT NULL,
    model       TEXT,
    quality     BIGINT NOT NULL,           -- in thousandths; -1: no value
    refs        TEXT NOT NULL,             -- references of its resources, separated by blanks
    body        BYTEA,                        -- its resources while it does not count; those of the one that does are in the record
    PRIMARY KEY (tenant, patient, episode, signal, end_us, start_us, device, stream)
);
CREATE INDEX claim_device ON claim (tenant, device, stream, end_us);
