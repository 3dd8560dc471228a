-- What each stream of a device last said about the device itself. The Device is made of all of them.
CREATE TABLE device_statement (
    tenant      TEXT COLLATE "C" NOT NULL,
    device      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    body        BYTEA NOT NULL,
    PRIMARY KEY (tenant, device, stream)
);
