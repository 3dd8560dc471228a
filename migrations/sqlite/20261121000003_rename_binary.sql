-- BINARY is a reserved word in PostgreSQL; the table has one name on both.
ALTER TABLE binary RENAME TO binary_resource;
ALTER TABLE binary_term RENAME TO binary_resource_term;
