-- Values that many resources share, such as codes and categories, are kept once for all of a cohort: the resources about a subject
-- that have just the same of them. What is left beside each resource are the values it shares with few, such as identifiers.
--   cohort             of a resource: the number of its cohort, a hash of the subject and the values; 0 where it has none
--   <table>_cohort     the values of cohorts. `term` is the hash of (tenant, type, parameter, code or reference), and of that with
--                      the system; `part` the repetition (of an Observation's component) it is in, from 1, and 0 as well
--   <table>_term       the values of single resources: `term` the same hash, `system` the hash of the system, 0 for none
-- All of it is made from the resources when the server starts.

ALTER TABLE observation ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX observation_in_cohort ON observation (cohort, date_us);
DROP TABLE observation_term;
CREATE TABLE observation_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE observation_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE provenance ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX provenance_in_cohort ON provenance (cohort, date_us);
DROP TABLE provenance_term;
CREATE TABLE provenance_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE provenance_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE document_reference ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX document_reference_in_cohort ON document_reference (cohort, date_us);
DROP TABLE document_reference_term;
CREATE TABLE document_reference_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE document_reference_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE device ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX device_in_cohort ON device (cohort, date_us);
DROP TABLE device_term;
CREATE TABLE device_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE device_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE patient ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX patient_in_cohort ON patient (cohort, date_us);
DROP TABLE patient_term;
CREATE TABLE patient_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE patient_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE organization ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX organization_in_cohort ON organization (cohort, date_us);
DROP TABLE organization_term;
CREATE TABLE organization_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE organization_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE binary_resource ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX binary_resource_in_cohort ON binary_resource (cohort, date_us);
DROP TABLE binary_resource_term;
CREATE TABLE binary_resource_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE binary_resource_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;

ALTER TABLE other_resource ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
CREATE INDEX other_resource_in_cohort ON other_resource (cohort, date_us);
DROP TABLE other_resource_term;
CREATE TABLE other_resource_term (
    term        BIGINT NOT NULL,
    system      BIGINT NOT NULL,
    row_id      BIGINT NOT NULL,
    PRIMARY KEY (term, system, row_id)
) WITHOUT ROWID;
CREATE TABLE other_resource_cohort (
    term        BIGINT NOT NULL,
    part        BIGINT NOT NULL,
    subject     BIGINT NOT NULL,
    cohort      BIGINT NOT NULL,
    PRIMARY KEY (term, part, subject, cohort)
) WITHOUT ROWID;
