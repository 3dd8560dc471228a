-- Tokens by which websockets are bound to subscriptions.
CREATE TABLE subscription_binding (
    sha256      BLOB NOT NULL PRIMARY KEY,  -- of the token
    tenant      TEXT NOT NULL,
    subscriptions TEXT NOT NULL,           -- JSON: their ids
    expires_us  BIGINT NOT NULL
);
