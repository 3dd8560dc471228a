-- Subscriptions. What changes in a type somebody subscribes to is noted in resource_change by a trigger, so in the
-- transaction that changes it, whoever that is; where nobody does, a write costs one look into an empty index. The
-- matcher takes what is noted from there and writes down for whom it is an event, with a number.

CREATE TABLE subscription (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,             -- logical id of the resource
    focus       TEXT NOT NULL,             -- resource type it is about
    status      TEXT NOT NULL,             -- requested, active, error, off; gone: deleted
    counts      BIGINT NOT NULL,           -- 1: events are numbered
    pushes      BIGINT NOT NULL,           -- 1: they are sent; 0: they are fetched, by whoever is bound
    definition  TEXT NOT NULL,             -- JSON: what the resource asks for
    standing    TEXT NOT NULL,             -- JSON: by what right
    secret      TEXT,                      -- what notifications are signed with
    revision    BIGINT NOT NULL,           -- of all subscriptions, when this row was last defined
    events      BIGINT NOT NULL,           -- number of the last event
    sent        BIGINT NOT NULL,           -- number of the last one that arrived
    attempts    BIGINT NOT NULL,           -- in a row that failed
    problem     TEXT,                      -- of the last of them
    contact_us  BIGINT NOT NULL,           -- when something arrived last, or the status changed
    due_us      BIGINT,                    -- NULL: nothing is to be sent
    holder      TEXT,
    epoch       BIGINT NOT NULL,           -- how often it changed hands
    until_us    BIGINT NOT NULL,           -- until when it is held
    PRIMARY KEY (tenant, id)
);
CREATE INDEX subscription_focus ON subscription (tenant, focus) WHERE counts = 1;
CREATE INDEX subscription_due ON subscription (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX subscription_defined ON subscription (revision);

-- One row: the last revision of subscriptions.
CREATE TABLE subscription_revision (
    revision    BIGINT NOT NULL
);
INSERT INTO subscription_revision (revision) VALUES (0);

-- One row: which process matches until when.
CREATE TABLE subscription_matcher (
    holder      TEXT,
    until_us    BIGINT NOT NULL
);
INSERT INTO subscription_matcher (until_us) VALUES (0);

CREATE TABLE subscription_event (
    tenant      TEXT NOT NULL,
    subscription TEXT NOT NULL,
    number      BIGINT NOT NULL,           -- from 1, without a gap
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     BIGINT NOT NULL,
    at_us       BIGINT NOT NULL,           -- when it was numbered
    PRIMARY KEY (tenant, subscription, number)
) WITHOUT ROWID;
CREATE INDEX subscription_event_age ON subscription_event (at_us);

CREATE TABLE resource_change (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TRIGGER observation_created AFTER INSERT ON observation WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Observation' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Observation', NEW.id, NEW.version);
END;
CREATE TRIGGER observation_updated AFTER UPDATE OF version ON observation WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Observation' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Observation', NEW.id, NEW.version);
END;
CREATE TRIGGER provenance_created AFTER INSERT ON provenance WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Provenance' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Provenance', NEW.id, NEW.version);
END;
CREATE TRIGGER provenance_updated AFTER UPDATE OF version ON provenance WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Provenance' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Provenance', NEW.id, NEW.version);
END;
CREATE TRIGGER document_reference_created AFTER INSERT ON document_reference WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'DocumentReference' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'DocumentReference', NEW.id, NEW.version);
END;
CREATE TRIGGER document_reference_updated AFTER UPDATE OF version ON document_reference WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'DocumentReference' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'DocumentReference', NEW.id, NEW.version);
END;
CREATE TRIGGER device_created AFTER INSERT ON device WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Device' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Device', NEW.id, NEW.version);
END;
CREATE TRIGGER device_updated AFTER UPDATE OF version ON device WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Device' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Device', NEW.id, NEW.version);
END;
CREATE TRIGGER patient_created AFTER INSERT ON patient WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Patient' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Patient', NEW.id, NEW.version);
END;
CREATE TRIGGER patient_updated AFTER UPDATE OF version ON patient WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Patient' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Patient', NEW.id, NEW.version);
END;
CREATE TRIGGER organization_created AFTER INSERT ON organization WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Organization' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Organization', NEW.id, NEW.version);
END;
CREATE TRIGGER organization_updated AFTER UPDATE OF version ON organization WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = 'Organization' AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, 'Organization', NEW.id, NEW.version);
END;
CREATE TRIGGER other_resource_created AFTER INSERT ON other_resource WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = NEW.kind AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, NEW.kind, NEW.id, NEW.version);
END;
CREATE TRIGGER other_resource_updated AFTER UPDATE OF version ON other_resource WHEN EXISTS (
    SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = NEW.kind AND s.counts = 1
) BEGIN
    INSERT INTO resource_change (tenant, kind, id, version) VALUES (NEW.tenant, NEW.kind, NEW.id, NEW.version);
END;
