-- The authorization server: tenants and what they may hold, clients, signing keys, what was used up and taken back.

-- A tenant is made by its first key or client, and holds synthetic patients alone or real ones from then on.
CREATE TABLE tenant (
    name        TEXT NOT NULL PRIMARY KEY,
    synthetic   BIGINT NOT NULL,
    created_us  BIGINT NOT NULL
);
-- One with keys of both kinds may hold real ones.
INSERT INTO tenant (name, synthetic, created_us)
    SELECT tenant, MIN(sandbox), MIN(created_us) FROM developer_key GROUP BY tenant;

-- The one patient a key with patient/ scopes is about.
ALTER TABLE developer_key ADD COLUMN patient TEXT;

CREATE TABLE oauth_client (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    name        TEXT NOT NULL,
    scope       TEXT NOT NULL,
    jwks        TEXT,                      -- public keys by value
    jwks_url    TEXT,                      -- or where they are
    created_us  BIGINT NOT NULL,
    revoked_us  BIGINT
);

CREATE TABLE signing_key (
    id          TEXT NOT NULL PRIMARY KEY, -- kid
    tenant      TEXT NOT NULL,
    private     BYTEA NOT NULL,            -- PKCS #8, P-256
    created_us  BIGINT NOT NULL,
    signs_us    BIGINT NOT NULL,           -- signs from then on, until another one does
    expires_us  BIGINT                     -- what it signed is not taken from then on
);
CREATE INDEX signing_key_tenant ON signing_key (tenant);

-- Assertions that were used, until they would be too old anyway.
CREATE TABLE oauth_assertion (
    client      TEXT NOT NULL,
    sha256      BYTEA NOT NULL,            -- of the jti
    expires_us  BIGINT NOT NULL,
    PRIMARY KEY (client, sha256)
);
CREATE INDEX oauth_assertion_expires ON oauth_assertion (expires_us);

-- Access tokens that were taken back, until they would be too old anyway.
CREATE TABLE oauth_revocation (
    id          TEXT NOT NULL PRIMARY KEY, -- jti
    expires_us  BIGINT NOT NULL
);
