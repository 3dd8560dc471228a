-- What tails of resources are compressed with: see src/store/body. Kept for good: who reads a resource needs the dictionary it
-- was written with.
--   resources   the table whose tails it was made of
--   body        a dictionary of zstd (RFC 8878, section 5) that has this number
CREATE TABLE tail_dictionary (
    number      BIGINT NOT NULL PRIMARY KEY,
    resources   TEXT NOT NULL,
    body        BYTEA NOT NULL
);
