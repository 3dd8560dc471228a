-- What was made of triggers is forgotten with them, long after it came to its end.
CREATE INDEX export_trigger_operation ON export_trigger (operation) WHERE operation IS NOT NULL;
