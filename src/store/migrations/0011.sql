-- Mails, and notices of providers, that were taken in, by a hash of their bytes: none has an effect twice.
CREATE TABLE inbox (
    hash TEXT PRIMARY KEY,
    at   BIGINT NOT NULL,
    kind TEXT NOT NULL                -- bounce, complaint, subscribe, unsubscribe, auto, other
);

-- What came back for a delivery after its server had taken it, and refusals that are counted against an address.
CREATE TABLE bounces (
    delivery TEXT NOT NULL REFERENCES deliveries (id),
    mail     TEXT NOT NULL,           -- which one said so; empty: the server, at once
    hash     TEXT NOT NULL,           -- of the address
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('bounce', 'complaint')),
    verdict  TEXT NOT NULL CHECK (verdict IN ('hard', 'soft', 'policy', 'sender', 'delayed', 'none')),
    status   TEXT,
    text     TEXT NOT NULL,
    judged   BIGINT NOT NULL,         -- 0: a refusal that may yet be undone, and was not counted
    PRIMARY KEY (delivery, mail)
);
CREATE INDEX bounces_by_hash ON bounces (hash, at);
CREATE INDEX bounces_to_judge ON bounces (delivery) WHERE judged = 0;
