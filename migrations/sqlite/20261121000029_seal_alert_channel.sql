-- A webhook's URL and what its messages are signed with, sealed. Of one that is not sealed yet the server seals them when it
-- starts; then the address is the URL's origin, and the secret NULL.

ALTER TABLE alert_channel ADD COLUMN sealed BLOB;
ALTER TABLE alert_channel ADD COLUMN is_signed BIGINT NOT NULL DEFAULT 0;
