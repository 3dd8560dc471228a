-- Values that many resources share, such as codes and categories, are kept once for all of a cohort: the resources about a subject
-- that have just the same of them. What is left beside each resource are the values it shares with few, such as identifiers.
--   cohort             of a resource: the number of its cohort, a hash of the subject and the values; 0 where it has none
--   <table>_cohort     the values of cohorts. `term` is the hash of (tenant, type, parameter, code or reference), and of that with
--                      the system; `part` the repetition (of an Observation's component) it is in, from 1, and 0 as well
--   <table>_term       the values of single resources: `term` the same hash, `system` the hash of the system, 0 for none
--   subject            now the hash of tenant and reference
--   span_us            how long the span of the type's `date` is, which takes two bytes where its end takes eight
-- All of it is made from the resources when the server starts.

ALTER TABLE observation ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
ALTER TABLE observation ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE observation SET span_us = until_us - date_us;
DROP INDEX observation_long;
ALTER TABLE observation DROP COLUMN until_us;
CREATE INDEX observation_long ON observation (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX observation_subject;
CREATE INDEX observation_subject ON observation (subject, date_us);
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
ALTER TABLE provenance ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE provenance SET span_us = until_us - date_us;
DROP INDEX provenance_long;
ALTER TABLE provenance DROP COLUMN until_us;
CREATE INDEX provenance_long ON provenance (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX provenance_subject;
CREATE INDEX provenance_subject ON provenance (subject, date_us);
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
ALTER TABLE document_reference ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE document_reference SET span_us = until_us - date_us;
DROP INDEX document_reference_long;
ALTER TABLE document_reference DROP COLUMN until_us;
CREATE INDEX document_reference_long ON document_reference (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX document_reference_subject;
CREATE INDEX document_reference_subject ON document_reference (subject, date_us);
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
ALTER TABLE device ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE device SET span_us = until_us - date_us;
DROP INDEX device_long;
ALTER TABLE device DROP COLUMN until_us;
CREATE INDEX device_long ON device (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX device_subject;
CREATE INDEX device_subject ON device (subject, date_us);
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
ALTER TABLE patient ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE patient SET span_us = until_us - date_us;
DROP INDEX patient_long;
ALTER TABLE patient DROP COLUMN until_us;
CREATE INDEX patient_long ON patient (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX patient_subject;
CREATE INDEX patient_subject ON patient (subject, date_us);
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
ALTER TABLE organization ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE organization SET span_us = until_us - date_us;
DROP INDEX organization_long;
ALTER TABLE organization DROP COLUMN until_us;
CREATE INDEX organization_long ON organization (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX organization_subject;
CREATE INDEX organization_subject ON organization (subject, date_us);
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
ALTER TABLE binary_resource ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE binary_resource SET span_us = until_us - date_us;
DROP INDEX binary_long;
ALTER TABLE binary_resource DROP COLUMN until_us;
CREATE INDEX binary_resource_long ON binary_resource (tenant, span_us) WHERE span_us > 600000000;
DROP INDEX binary_subject;
CREATE INDEX binary_resource_subject ON binary_resource (subject, date_us);
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
ALTER TABLE other_resource ADD COLUMN span_us BIGINT NOT NULL DEFAULT 0;
UPDATE other_resource SET span_us = until_us - date_us;
DROP INDEX other_resource_long;
ALTER TABLE other_resource DROP COLUMN until_us;
CREATE INDEX other_resource_long ON other_resource (tenant, kind, span_us) WHERE span_us > 600000000;
DROP INDEX other_resource_subject;
CREATE INDEX other_resource_subject ON other_resource (kind, subject, date_us);
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
