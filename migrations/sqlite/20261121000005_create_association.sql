-- Whose a device's packets are, over time. Times are microseconds since 1970; -9223372036854775808: for as long as there is
-- anything; `until_us` NULL: still.

-- Who wore it.
CREATE TABLE wear (
    tenant      TEXT NOT NULL,
    device      TEXT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT,
    patient     TEXT NOT NULL,
    PRIMARY KEY (tenant, device, from_us)
);

-- Which episode it was part of. While it is, the episode says whose its packets are.
CREATE TABLE episode_device (
    tenant      TEXT NOT NULL,
    episode     TEXT NOT NULL,
    device      TEXT NOT NULL,
    patient     TEXT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT,
    PRIMARY KEY (tenant, episode, device, from_us)
);
CREATE INDEX episode_device_device ON episode_device (tenant, device, from_us);

-- Every change of what these two say together about a device, with the first instant they say something else about. What
-- was computed under an earlier revision from packets at or after that instant has to be computed anew.
CREATE TABLE association_change (
    tenant      TEXT NOT NULL,
    device      TEXT NOT NULL,
    revision    BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    PRIMARY KEY (tenant, device, revision)
);

INSERT INTO wear (tenant, device, from_us, until_us, patient)
    SELECT tenant, device, -9223372036854775808, NULL, patient FROM device_link WHERE patient IS NOT NULL;
INSERT INTO association_change (tenant, device, revision, from_us)
    SELECT tenant, device, 1, -9223372036854775808 FROM device_link WHERE patient IS NOT NULL;
ALTER TABLE device_link DROP COLUMN patient;

-- The device's own time of a packet's first sample, to find packets by time.
ALTER TABLE journal ADD COLUMN device_us BIGINT;

-- Under which revision the state was computed, and the latest packet's time in it.
ALTER TABLE checkpoint ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE checkpoint ADD COLUMN newest_us BIGINT NOT NULL DEFAULT 9223372036854775807;
