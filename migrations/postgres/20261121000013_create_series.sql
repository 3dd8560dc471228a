-- Which codes there are Observations of, for each subject: what $lastn asks for the newest of. It is never more than the
-- truth by much: a code stays when its last Observation goes.
CREATE TABLE observation_series (
    tenant      TEXT NOT NULL,
    subject     BIGINT NOT NULL,           -- as in observation
    system      TEXT NOT NULL,
    code        TEXT NOT NULL,
    PRIMARY KEY (tenant, subject, system, code)
);
