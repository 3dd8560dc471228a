-- Where things go: who gives tokens, FHIR servers, exports. What refers to another names it as kind/id.
CREATE TABLE connection (
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,             -- oauth-provider, fhir-medplum-config, fhir-target, data-export
    id          TEXT NOT NULL,
    revision    BIGINT NOT NULL,           -- counts changes; its ETag
    body        TEXT NOT NULL,             -- JSON, nothing secret in it
    refers      TEXT,
    sealed      BLOB,                     -- secrets, sealed with the tenant's key for secrets
    PRIMARY KEY (tenant, kind, id)
);
CREATE INDEX connection_refers ON connection (tenant, refers) WHERE refers IS NOT NULL;
