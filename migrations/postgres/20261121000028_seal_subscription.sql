-- What notifications are signed with and the values of their headers, each sealed by itself. Of a subscription that is not sealed
-- yet the server seals them when it starts, and masks them in every version of its resource.

ALTER TABLE subscription ADD COLUMN sealed TEXT COLLATE "C";
ALTER TABLE subscription ADD COLUMN is_sealed BIGINT NOT NULL DEFAULT 0;
-- 1: no resource shows any of it.
ALTER TABLE subscription_revision ADD COLUMN is_masked BIGINT NOT NULL DEFAULT 0;
