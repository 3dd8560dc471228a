-- Who made a resource, and until when a version was the current one.
--   origin      0: derived by this server, which clients only read; 1: written by a client
--   until_us    when the next version came; NULL in the one that is a deletion still in force, whose tail is empty
ALTER TABLE observation ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE provenance ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE document_reference ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE patient ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE organization ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE binary_resource ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE other_resource ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resource_history ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resource_history ADD COLUMN until_us BIGINT;
CREATE INDEX resource_history_updated ON resource_history (tenant, kind, updated_us);

-- Patients are placeholders until somebody who knows them writes more.
UPDATE patient SET origin = 1;

UPDATE resource_history SET until_us = (SELECT n.updated_us FROM resource_history n WHERE n.tenant = resource_history.tenant
    AND n.kind = resource_history.kind AND n.id = resource_history.id AND n.version = resource_history.version + 1);
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM observation r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Observation';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM provenance r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Provenance';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM document_reference r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'DocumentReference';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM device r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Device';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM patient r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Patient';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM organization r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Organization';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM binary_resource r WHERE r.tenant = resource_history.tenant
    AND r.id = resource_history.id) WHERE until_us IS NULL AND kind = 'Binary';
UPDATE resource_history SET until_us = (SELECT r.updated_us FROM other_resource r WHERE r.tenant = resource_history.tenant
    AND r.kind = resource_history.kind AND r.id = resource_history.id) WHERE until_us IS NULL;
