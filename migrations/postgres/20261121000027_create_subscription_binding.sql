-- Tokens by which websockets are bound to subscriptions.
CREATE TABLE subscription_binding (
    sha256      BYTEA NOT NULL PRIMARY KEY,  -- of the token
    tenant      TEXT COLLATE "C" NOT NULL,
    subscriptions TEXT COLLATE "C" NOT NULL,           -- JSON: their ids
    expires_us  BIGINT NOT NULL
);
