-- Subscriptions. What changes in a type somebody subscribes to is noted in resource_change by a trigger, so in the
-- transaction that changes it, whoever that is; where nobody does, a write costs one look into an empty index. The
-- matcher takes what is noted from there and writes down for whom it is an event, with a number.

CREATE TABLE subscription (
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,             -- logical id of the resource
    focus       TEXT COLLATE "C" NOT NULL,             -- resource type it is about
    status      TEXT COLLATE "C" NOT NULL,             -- requested, active, error, off; gone: deleted
    counts      BIGINT NOT NULL,           -- 1: events are numbered
    pushes      BIGINT NOT NULL,           -- 1: they are sent; 0: they are fetched, by whoever is bound
    definition  TEXT COLLATE "C" NOT NULL,             -- JSON: what the resource asks for
    standing    TEXT COLLATE "C" NOT NULL,             -- JSON: by what right
    secret      TEXT COLLATE "C",                      -- what notifications are signed with
    revision    BIGINT NOT NULL,           -- of all subscriptions, when this row was last defined
    events      BIGINT NOT NULL,           -- number of the last event
    sent        BIGINT NOT NULL,           -- number of the last one that arrived
    attempts    BIGINT NOT NULL,           -- in a row that failed
    problem     TEXT COLLATE "C",                      -- of the last of them
    contact_us  BIGINT NOT NULL,           -- when something arrived last, or the status changed
    due_us      BIGINT,                    -- NULL: nothing is to be sent
    holder      TEXT COLLATE "C",
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
    holder      TEXT COLLATE "C",
    until_us    BIGINT NOT NULL
);
INSERT INTO subscription_matcher (until_us) VALUES (0);

CREATE TABLE subscription_event (
    tenant      TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL,           -- from 1, without a gap
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    at_us       BIGINT NOT NULL,           -- when it was numbered
    PRIMARY KEY (tenant, subscription, number)
);
CREATE INDEX subscription_event_age ON subscription_event (at_us);

CREATE TABLE resource_change (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL
);

-- The arguments of a trigger: the resource type of its table; none where rows have a column for it.
CREATE FUNCTION note_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_change (tenant, kind, id, version)
        SELECT n.tenant, TG_ARGV[0], n.id, n.version FROM created n WHERE EXISTS (
            SELECT 1 FROM subscription s WHERE s.tenant = n.tenant AND s.focus = TG_ARGV[0] AND s.counts = 1);
    RETURN NULL;
END $$;
CREATE FUNCTION note_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_change (tenant, kind, id, version)
        SELECT NEW.tenant, TG_ARGV[0], NEW.id, NEW.version WHERE EXISTS (
            SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = TG_ARGV[0] AND s.counts = 1);
    RETURN NULL;
END $$;
CREATE FUNCTION note_other_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_change (tenant, kind, id, version)
        SELECT n.tenant, n.kind, n.id, n.version FROM created n WHERE EXISTS (
            SELECT 1 FROM subscription s WHERE s.tenant = n.tenant AND s.focus = n.kind AND s.counts = 1);
    RETURN NULL;
END $$;
CREATE FUNCTION note_other_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_change (tenant, kind, id, version)
        SELECT NEW.tenant, NEW.kind, NEW.id, NEW.version WHERE EXISTS (
            SELECT 1 FROM subscription s WHERE s.tenant = NEW.tenant AND s.focus = NEW.kind AND s.counts = 1);
    RETURN NULL;
END $$;
CREATE TRIGGER observation_created AFTER INSERT ON observation REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('Observation');
CREATE TRIGGER observation_updated AFTER UPDATE OF version ON observation FOR EACH ROW EXECUTE FUNCTION note_updated('Observation');
CREATE TRIGGER provenance_created AFTER INSERT ON provenance REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('Provenance');
CREATE TRIGGER provenance_updated AFTER UPDATE OF version ON provenance FOR EACH ROW EXECUTE FUNCTION note_updated('Provenance');
CREATE TRIGGER document_reference_created AFTER INSERT ON document_reference REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('DocumentReference');
CREATE TRIGGER document_reference_updated AFTER UPDATE OF version ON document_reference FOR EACH ROW EXECUTE FUNCTION note_updated('DocumentReference');
CREATE TRIGGER device_created AFTER INSERT ON device REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('Device');
CREATE TRIGGER device_updated AFTER UPDATE OF version ON device FOR EACH ROW EXECUTE FUNCTION note_updated('Device');
CREATE TRIGGER patient_created AFTER INSERT ON patient REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('Patient');
CREATE TRIGGER patient_updated AFTER UPDATE OF version ON patient FOR EACH ROW EXECUTE FUNCTION note_updated('Patient');
CREATE TRIGGER organization_created AFTER INSERT ON organization REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_created('Organization');
CREATE TRIGGER organization_updated AFTER UPDATE OF version ON organization FOR EACH ROW EXECUTE FUNCTION note_updated('Organization');
CREATE TRIGGER other_resource_created AFTER INSERT ON other_resource REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION note_other_created();
CREATE TRIGGER other_resource_updated AFTER UPDATE OF version ON other_resource FOR EACH ROW EXECUTE FUNCTION note_other_updated();
