-- A delivery is of an edition, or it is a letter: a mail to one person that is no edition, such as confirm/2. Both tables are made
-- anew with all of their rows, since SQLite cannot take a NOT NULL back.

-- What letters say, finished but for the recipient's own parts (P2): stored once, under the hash of it.
CREATE TABLE letters (
    id      TEXT PRIMARY KEY,
    message TEXT NOT NULL
);

CREATE TABLE deliveries_anew (
    id         TEXT PRIMARY KEY,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    occasion   TEXT NOT NULL,
    edition    TEXT REFERENCES editions (id),
    variant    TEXT REFERENCES variants (id),
    letter     TEXT REFERENCES letters (id),
    address    TEXT NOT NULL,
    hash       TEXT NOT NULL,
    name       TEXT,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'refused', 'uncertain', 'held', 'cancelled')),
    due        BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    resends    BIGINT NOT NULL,
    first_at   BIGINT,
    last_at    BIGINT,
    worker     TEXT,
    lease      BIGINT,
    transport  TEXT,
    withdrawn_by TEXT,
    queued     BIGINT NOT NULL,
    lane       TEXT NOT NULL DEFAULT '',
    UNIQUE (subscriber, occasion),
    CHECK ((edition IS NULL) = (variant IS NULL) AND (edition IS NULL) = (letter IS NOT NULL))
);
INSERT INTO deliveries_anew (id, subscriber, occasion, edition, variant, address, hash, name, state, due, attempts, resends, first_at, last_at,
    worker, lease, transport, withdrawn_by, queued, lane)
SELECT id, subscriber, occasion, edition, variant, address, hash, name, state, due, attempts, resends, first_at, last_at,
    worker, lease, transport, withdrawn_by, queued, lane FROM deliveries;

CREATE TABLE attempts_anew (
    delivery TEXT NOT NULL REFERENCES deliveries_anew (id),
    number   BIGINT NOT NULL,
    began    BIGINT NOT NULL,
    ended    BIGINT,
    stage    TEXT,
    code     BIGINT,
    status   TEXT,
    text     TEXT,
    outcome  TEXT,
    lane     TEXT,
    PRIMARY KEY (delivery, number)
);
INSERT INTO attempts_anew (delivery, number, began, ended, stage, code, status, text, outcome, lane)
SELECT delivery, number, began, ended, stage, code, status, text, outcome, lane FROM attempts;

DROP TABLE attempts;
DROP TABLE deliveries;
ALTER TABLE deliveries_anew RENAME TO deliveries;
ALTER TABLE attempts_anew RENAME TO attempts;

CREATE INDEX deliveries_due ON deliveries (lane, due, id) WHERE state IN ('queued', 'uncertain');
CREATE INDEX deliveries_letters_due ON deliveries (lane, due, id) WHERE edition IS NULL AND state IN ('queued', 'uncertain');
CREATE INDEX deliveries_worked_on ON deliveries (worker) WHERE worker IS NOT NULL;
CREATE INDEX deliveries_by_edition ON deliveries (edition, state);
CREATE INDEX deliveries_by_hash ON deliveries (hash);
CREATE INDEX deliveries_withdrawn ON deliveries (withdrawn_by) WHERE withdrawn_by IS NOT NULL;
CREATE INDEX deliveries_resent ON deliveries (edition) WHERE resends > 0;
CREATE INDEX attempts_began ON attempts (began);
CREATE INDEX attempts_by_lane ON attempts (lane, began) WHERE lane IS NOT NULL;

-- What a person asked for on the web and confirmed: the n-th request of its kind, asked for by the letter kind/n.
CREATE TABLE consents (
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    kind       TEXT NOT NULL CHECK (kind IN ('confirm', 'change')),
    number     BIGINT NOT NULL,
    address    TEXT NOT NULL,         -- the one that is to be confirmed
    hash       TEXT NOT NULL,
    digests    TEXT NOT NULL,         -- what was chosen with it
    topics     TEXT NOT NULL,
    language   TEXT,
    source     TEXT NOT NULL,         -- where it was asked: form, mail
    wording    TEXT NOT NULL,         -- a hash of the words that the person saw
    network    TEXT,                  -- from where, where that is kept: a /24 or a /48
    asked      BIGINT NOT NULL,
    confirmed  BIGINT,
    PRIMARY KEY (subscriber, kind, number)
);
CREATE INDEX consents_by_hash ON consents (hash, asked);
CREATE INDEX consents_open ON consents (asked) WHERE confirmed IS NULL;

-- Until when a paused person wants no mail; null: until they say so.
ALTER TABLE subscribers ADD COLUMN paused_until BIGINT;
