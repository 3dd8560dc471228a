-- Each commit asks whether a resource that it stores is in quarantine; mostly none is.
CREATE INDEX quarantine_projection ON quarantine (tenant) WHERE kind = 'projection' AND state = 'held';

-- What is open is counted whenever metrics are read.
CREATE INDEX quarantine_held ON quarantine (tenant) WHERE state = 'held';
CREATE INDEX alert_open ON alert (severity) WHERE state = 'open';

-- A webhook's own secret, by which its receiver knows that it is us.
ALTER TABLE alert_channel ADD COLUMN secret TEXT;
