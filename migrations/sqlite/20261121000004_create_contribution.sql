-- What streams of a patient have to offer to measurements that need several of them, a row for each stream and window.
CREATE TABLE contribution (
    tenant      TEXT NOT NULL,
    patient     TEXT NOT NULL,
    episode     TEXT NOT NULL,             -- empty: no episode
    end_us      BIGINT NOT NULL,
    start_us    BIGINT NOT NULL,
    signal      TEXT NOT NULL,
    device      TEXT NOT NULL,
    stream      TEXT NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (tenant, patient, episode, end_us, start_us, signal, device, stream)
);
