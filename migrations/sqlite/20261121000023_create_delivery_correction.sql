-- What people corrected of a resource for one receiver: of one version, as a JSON Merge Patch (RFC 7396).
CREATE TABLE delivery_correction (
    tenant       TEXT NOT NULL,
    destination  TEXT NOT NULL,             -- base URL or folder
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    version      BIGINT NOT NULL,           -- of the resource here; later ones go as they are
    patch        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    corrected_by TEXT NOT NULL,             -- public id of the key or client
    corrected_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, destination, kind, id)
);
