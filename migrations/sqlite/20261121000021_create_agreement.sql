-- When a business associate agreement was signed for a tenant's data; nothing where none is in force.
ALTER TABLE tenant ADD COLUMN baa_us BIGINT;
