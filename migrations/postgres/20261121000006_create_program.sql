-- The control plane: programs, who is in them, and their episodes.

CREATE TABLE program (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    revision    BIGINT NOT NULL,           -- counts changes; its ETag
    title       TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    PRIMARY KEY (tenant, id)
);

-- Written once.
CREATE TABLE profile (
    tenant      TEXT COLLATE "C" NOT NULL,
    program     TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    spec        TEXT COLLATE "C" NOT NULL,             -- JSON
    PRIMARY KEY (tenant, program, id, version)
);

CREATE TABLE enrolment (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    revision    BIGINT NOT NULL,
    program     TEXT COLLATE "C" NOT NULL,
    profile     TEXT COLLATE "C" NOT NULL,
    profile_version BIGINT NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE episode (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    enrolment   TEXT COLLATE "C" NOT NULL,
    program     TEXT COLLATE "C" NOT NULL,
    profile     TEXT COLLATE "C" NOT NULL,
    profile_version BIGINT NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    request     TEXT COLLATE "C" NOT NULL,             -- what it was opened with: the same once more is no other episode
    started_us  BIGINT NOT NULL,
    opened_us   BIGINT NOT NULL,           -- by the server's clock
    ended_us    BIGINT,                    -- NULL: still
    ended_by    TEXT COLLATE "C",
    told_us     BIGINT,                    -- when the pipeline was last told that it has ended
    encounter_system TEXT COLLATE "C",                 -- NULL: no EHR sees it in an Encounter
    encounter_value TEXT COLLATE "C",
    encounter_class TEXT COLLATE "C",
    care_system TEXT COLLATE "C",                      -- NULL: no EHR has an EpisodeOfCare of its own for it
    care_value  TEXT COLLATE "C",
    max_duration_us BIGINT,                -- end conditions of its profile; NULL: none
    inactivity_us BIGINT,
    sample_count BIGINT,
    counted_position BIGINT NOT NULL,      -- journal rows up to here are in `counted_samples`
    counted_samples BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX episode_running ON episode (tenant, id) WHERE ended_us IS NULL;
CREATE INDEX episode_enrolment ON episode (tenant, enrolment);
CREATE INDEX episode_encounter ON episode (tenant, encounter_system, encounter_value) WHERE encounter_system IS NOT NULL;

-- What the profile of an episode exports.
CREATE TABLE episode_export (
    tenant      TEXT COLLATE "C" NOT NULL,
    episode     TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,             -- on_episode_start, on_episode_end, on_measurement, on_schedule
    interval_us BIGINT,                    -- of on_schedule
    target      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, episode, name)
);

-- Exports to be made, each once: an outbox, written together with what it tells of.
CREATE TABLE export_trigger (
    tenant      TEXT COLLATE "C" NOT NULL,
    episode     TEXT COLLATE "C" NOT NULL,
    export      TEXT COLLATE "C" NOT NULL,
    occurrence  TEXT COLLATE "C" NOT NULL,             -- which time of this export
    state       TEXT COLLATE "C" NOT NULL,             -- pending: not everything it tells of is in the store; ready
    event_us    BIGINT NOT NULL,           -- event time of what it tells of
    PRIMARY KEY (tenant, episode, export, occurrence)
);
CREATE INDEX export_trigger_pending ON export_trigger (tenant, episode) WHERE state = 'pending';
