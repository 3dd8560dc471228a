-- Apps that people use: how they prove themselves, who may sign in, and what was granted to which app by whom.

ALTER TABLE oauth_client ADD COLUMN secret_sha256 BLOB;     -- of an app that proves itself with a secret
ALTER TABLE oauth_client ADD COLUMN redirect_uris TEXT;     -- of an app, one a line; a backend service has none

-- What an id token is signed with is not what an access token is.
ALTER TABLE signing_key ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'ES256';

-- Whom the identity provider's subject is in the tenant's data.
CREATE TABLE oauth_person (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    resource    TEXT NOT NULL,             -- Patient/… or Practitioner/…
    created_us  BIGINT NOT NULL,
    revoked_us  BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX oauth_person_subject ON oauth_person (tenant, issuer, subject) WHERE revoked_us IS NULL;

-- Browsers in which somebody has signed in.
CREATE TABLE oauth_session (
    sha256      BLOB NOT NULL PRIMARY KEY, -- of the cookie
    person      TEXT NOT NULL,
    expires_us  BIGINT NOT NULL
);
CREATE INDEX oauth_session_expires ON oauth_session (expires_us);

-- What an EHR says an app is opened for.
CREATE TABLE oauth_launch (
    sha256      BLOB NOT NULL PRIMARY KEY, -- of the launch parameter
    tenant      TEXT NOT NULL,
    client      TEXT NOT NULL,
    context     TEXT NOT NULL,             -- JSON
    expires_us  BIGINT NOT NULL
);
CREATE INDEX oauth_launch_expires ON oauth_launch (expires_us);

-- What apps ask for, while people sign in and think about it.
CREATE TABLE oauth_request (
    sha256      BLOB NOT NULL PRIMARY KEY, -- of its id
    tenant      TEXT NOT NULL,
    browser     BLOB NOT NULL,             -- SHA-256 of the cookie of the browser it is in
    request     TEXT NOT NULL,             -- JSON
    upstream    TEXT,                      -- JSON: what was asked of the identity provider, until it answers
    expires_us  BIGINT NOT NULL
);
CREATE INDEX oauth_request_expires ON oauth_request (expires_us);

-- What a person has granted to an app.
CREATE TABLE oauth_grant (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    client      TEXT NOT NULL,
    person      TEXT NOT NULL,
    granted     TEXT NOT NULL,             -- JSON: scopes and context
    created_us  BIGINT NOT NULL,
    expires_us  BIGINT NOT NULL,           -- no token of it is good any longer
    revoked_us  BIGINT
) WITHOUT ROWID;
CREATE INDEX oauth_grant_expires ON oauth_grant (expires_us);

-- Authorization codes and refresh tokens. Each is used once; the second time takes the grant back.
CREATE TABLE oauth_ticket (
    sha256      BLOB NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL,             -- code or refresh
    grant_id    TEXT NOT NULL,
    bound       TEXT NOT NULL,             -- JSON: what the code is bound to; empty for a refresh token
    expires_us  BIGINT NOT NULL,
    used_us     BIGINT
);
CREATE INDEX oauth_ticket_grant ON oauth_ticket (grant_id);
