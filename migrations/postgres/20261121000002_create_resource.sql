-- Resources: one table per type that is many or hot, `other_resource` for the rest, all of one shape.
--   date_us, until_us  the half-open span of the type's `date` parameter; -9223372036854775808 where it has none
--   subject            hash of the patient or subject reference, 0 where it has none
--   tail               the stored form of the resource, see src/fhir/stored.rs
-- Beside each, `<table>_term`: one row per value of a token or reference parameter. `term` is the hash of (type, parameter,
-- code or reference), `system` the hash of the token's system, 0 where it has none. Its key holds what a search by subject
-- and code sorted by date reads, so that such a search is one range scan.
-- Indexes end in `row_id`, which makes an order total; in SQLite they do without saying so.
-- Spans longer than ten minutes are in an index of their own: how far a date search must look back is one look-up.

CREATE TABLE observation (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX observation_id ON observation (tenant, id);
CREATE INDEX observation_subject ON observation (tenant, subject, date_us, row_id);
CREATE INDEX observation_date ON observation (tenant, date_us, row_id);
CREATE INDEX observation_updated ON observation (tenant, updated_us, row_id);
CREATE INDEX observation_long ON observation (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE observation_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE provenance (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX provenance_id ON provenance (tenant, id);
CREATE INDEX provenance_subject ON provenance (tenant, subject, date_us, row_id);
CREATE INDEX provenance_date ON provenance (tenant, date_us, row_id);
CREATE INDEX provenance_updated ON provenance (tenant, updated_us, row_id);
CREATE INDEX provenance_long ON provenance (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE provenance_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE document_reference (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX document_reference_id ON document_reference (tenant, id);
CREATE INDEX document_reference_subject ON document_reference (tenant, subject, date_us, row_id);
CREATE INDEX document_reference_date ON document_reference (tenant, date_us, row_id);
CREATE INDEX document_reference_updated ON document_reference (tenant, updated_us, row_id);
CREATE INDEX document_reference_long ON document_reference (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE document_reference_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE device (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX device_id ON device (tenant, id);
CREATE INDEX device_subject ON device (tenant, subject, date_us, row_id);
CREATE INDEX device_date ON device (tenant, date_us, row_id);
CREATE INDEX device_updated ON device (tenant, updated_us, row_id);
CREATE INDEX device_long ON device (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE device_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE patient (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX patient_id ON patient (tenant, id);
CREATE INDEX patient_subject ON patient (tenant, subject, date_us, row_id);
CREATE INDEX patient_date ON patient (tenant, date_us, row_id);
CREATE INDEX patient_updated ON patient (tenant, updated_us, row_id);
CREATE INDEX patient_long ON patient (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE patient_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE organization (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX organization_id ON organization (tenant, id);
CREATE INDEX organization_subject ON organization (tenant, subject, date_us, row_id);
CREATE INDEX organization_date ON organization (tenant, date_us, row_id);
CREATE INDEX organization_updated ON organization (tenant, updated_us, row_id);
CREATE INDEX organization_long ON organization (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE organization_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE binary_resource (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX binary_resource_id ON binary_resource (tenant, id);
CREATE INDEX binary_resource_subject ON binary_resource (tenant, subject, date_us, row_id);
CREATE INDEX binary_resource_date ON binary_resource (tenant, date_us, row_id);
CREATE INDEX binary_resource_updated ON binary_resource (tenant, updated_us, row_id);
CREATE INDEX binary_resource_long ON binary_resource (tenant, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE binary_resource_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

CREATE TABLE other_resource (
    row_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    tail        BYTEA NOT NULL
);
CREATE UNIQUE INDEX other_resource_id ON other_resource (tenant, kind, id);
CREATE INDEX other_resource_subject ON other_resource (tenant, kind, subject, date_us, row_id);
CREATE INDEX other_resource_date ON other_resource (tenant, kind, date_us, row_id);
CREATE INDEX other_resource_updated ON other_resource (tenant, kind, updated_us, row_id);
CREATE INDEX other_resource_long ON other_resource (tenant, kind, (until_us - date_us)) WHERE until_us - date_us > 600000000;
CREATE TABLE other_resource_term (
    tenant      TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    date_us     BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    PRIMARY KEY (tenant, term, subject, date_us, row_id, system)
);

-- Versions that are no longer current.
CREATE TABLE resource_history (
    tenant      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    tail        BYTEA NOT NULL,
    PRIMARY KEY (tenant, kind, id, version)
);
