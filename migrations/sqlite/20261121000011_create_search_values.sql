-- Further search parameters.
--   present            of a resource: which search parameters it has values of, one bit each, for `:missing`
-- Values that are no terms stand in narrow tables, beside those resource tables whose types have such parameters. `parameter`
-- is the hash of (tenant, type, parameter), so that no row repeats them.
--   <table>_string     `value` as it is searched: small letters without accents; `exact` is the hash of the text itself
--   <table>_moment     half-open spans
--   <table>_quantity   `measure` is the hash of (tenant, type, parameter, unit), `value` the number as it is written, `part` the
--                      repetition (of an Observation's component) the value is in, from 1; 0 where it is in none
-- `quantity_unit` knows the units there are, so that a search can be asked of each in its own numbers.
-- `search_index` holds the fingerprint of what the indexes were made by; where it differs they are made again.

CREATE TABLE search_index (
    fingerprint TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE quantity_unit (
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    parameter   TEXT NOT NULL,
    system      TEXT NOT NULL,
    code        TEXT NOT NULL,
    unit        TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, parameter, system, code, unit)
) WITHOUT ROWID;

ALTER TABLE observation ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE observation_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX observation_string_value ON observation_string (parameter, value);
CREATE TABLE observation_moment (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, from_us, until_us)
) WITHOUT ROWID;
CREATE INDEX observation_moment_from ON observation_moment (parameter, from_us);
CREATE INDEX observation_moment_until ON observation_moment (parameter, until_us);
CREATE TABLE observation_quantity (
    row_id      BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    measure     BIGINT NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (row_id, part, measure, value)
) WITHOUT ROWID;
CREATE INDEX observation_quantity_value ON observation_quantity (measure, value);

ALTER TABLE provenance ADD COLUMN present BIGINT NOT NULL DEFAULT 0;

ALTER TABLE document_reference ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE document_reference_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX document_reference_string_value ON document_reference_string (parameter, value);
CREATE TABLE document_reference_moment (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, from_us, until_us)
) WITHOUT ROWID;
CREATE INDEX document_reference_moment_from ON document_reference_moment (parameter, from_us);
CREATE INDEX document_reference_moment_until ON document_reference_moment (parameter, until_us);

ALTER TABLE device ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE device_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX device_string_value ON device_string (parameter, value);

ALTER TABLE patient ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE patient_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX patient_string_value ON patient_string (parameter, value);
CREATE TABLE patient_moment (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, from_us, until_us)
) WITHOUT ROWID;
CREATE INDEX patient_moment_from ON patient_moment (parameter, from_us);
CREATE INDEX patient_moment_until ON patient_moment (parameter, until_us);

ALTER TABLE organization ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE organization_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX organization_string_value ON organization_string (parameter, value);

ALTER TABLE binary_resource ADD COLUMN present BIGINT NOT NULL DEFAULT 0;

ALTER TABLE other_resource ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
CREATE TABLE other_resource_string (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    value       TEXT NOT NULL,
    exact       BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, exact)
) WITHOUT ROWID;
CREATE INDEX other_resource_string_value ON other_resource_string (parameter, value);
CREATE TABLE other_resource_moment (
    row_id      BIGINT NOT NULL,
    parameter   BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL,
    PRIMARY KEY (row_id, parameter, from_us, until_us)
) WITHOUT ROWID;
CREATE INDEX other_resource_moment_from ON other_resource_moment (parameter, from_us);
CREATE INDEX other_resource_moment_until ON other_resource_moment (parameter, until_us);
CREATE TABLE other_resource_quantity (
    row_id      BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    measure     BIGINT NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (row_id, part, measure, value)
) WITHOUT ROWID;
CREATE INDEX other_resource_quantity_value ON other_resource_quantity (measure, value);
