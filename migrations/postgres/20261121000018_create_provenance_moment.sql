-- When what a Provenance tells of happened, beside when it was recorded: half-open spans.
CREATE TABLE provenance_moment (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, from_us, until_us)
);
CREATE INDEX provenance_moment_from ON provenance_moment (parameter, from_us);
CREATE INDEX provenance_moment_until ON provenance_moment (parameter, until_us);
