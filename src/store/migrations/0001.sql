-- Portable between SQLite and PostgreSQL: TEXT and BIGINT only; times are milliseconds since 1970 in UTC.

-- What the store knows of itself: its salt, its secret or that secret's fingerprint.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Identities of posts. Never deleted: a file that comes back is the same post (P4).
CREATE TABLE posts (
    id           TEXT PRIMARY KEY,
    path         TEXT NOT NULL,
    guid         TEXT,
    permalink    TEXT NOT NULL,
    slug         TEXT NOT NULL,
    day          TEXT NOT NULL,
    title        TEXT NOT NULL,
    language     TEXT NOT NULL,
    body_hash    TEXT NOT NULL,
    sketch       TEXT NOT NULL,
    body_length  BIGINT NOT NULL,
    fingerprint  TEXT NOT NULL,
    updated      BIGINT NOT NULL,
    atom_updated BIGINT NOT NULL,
    published    BIGINT NOT NULL,
    first_seen   BIGINT NOT NULL,
    gone         BIGINT NOT NULL CHECK (gone IN (0, 1))
);

CREATE TABLE digests (
    name       TEXT PRIMARY KEY,
    introduced BIGINT NOT NULL,
    newest     BIGINT NOT NULL,
    first      BIGINT NOT NULL
);

-- A slot is decided once: the primary key decides who decides.
CREATE TABLE slots (
    digest  TEXT NOT NULL REFERENCES digests (name),
    slot    BIGINT NOT NULL,
    decided BIGINT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (digest, slot)
);

-- released is the Date of its mails. rests is since when it waits for an attempt: too long, and it is held.
CREATE TABLE editions (
    id       TEXT PRIMARY KEY,
    number   BIGINT NOT NULL UNIQUE,
    digest   TEXT NOT NULL REFERENCES digests (name),
    slot     BIGINT,
    post     TEXT REFERENCES posts (id),
    subject  TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'open', 'held', 'done', 'cancelled')),
    frozen   BIGINT NOT NULL,
    released BIGINT,
    rests    BIGINT,
    UNIQUE (digest, slot),
    UNIQUE (digest, post)
);

-- What a digest has behind it: in an edition, or in its baseline (edition is null). The key is promise P4.
CREATE TABLE digest_posts (
    digest   TEXT NOT NULL REFERENCES digests (name),
    post     TEXT NOT NULL REFERENCES posts (id),
    edition  TEXT REFERENCES editions (id),
    position BIGINT NOT NULL,
    PRIMARY KEY (digest, post)
);
CREATE INDEX digest_posts_by_edition ON digest_posts (edition, position);

-- Rendered once, at freezing: message is the finished mail but for the recipient's own parts (P2, P3).
CREATE TABLE variants (
    id      TEXT PRIMARY KEY,
    edition TEXT NOT NULL REFERENCES editions (id),
    posts   TEXT NOT NULL,
    subject TEXT NOT NULL,
    html    TEXT NOT NULL,
    text    TEXT NOT NULL,
    message TEXT NOT NULL,
    UNIQUE (edition, posts)
);

-- Which variant the readers of these topics get; no variant: nothing in the edition is for them.
CREATE TABLE audiences (
    edition TEXT NOT NULL REFERENCES editions (id),
    topics  TEXT NOT NULL,
    variant TEXT REFERENCES variants (id),
    PRIMARY KEY (edition, topics)
);

-- hash is the salted hash of the address's identity: what makes two rows one person, and what suppressions name.
CREATE TABLE subscribers (
    id       TEXT PRIMARY KEY,
    address  TEXT NOT NULL,
    hash     TEXT NOT NULL UNIQUE,
    name     TEXT,
    language TEXT,
    digests  TEXT NOT NULL,
    topics   TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('pending', 'active', 'paused', 'unsubscribed', 'absent')),
    source   TEXT NOT NULL,
    added    BIGINT NOT NULL,
    changed  BIGINT NOT NULL,
    decided  TEXT NOT NULL CHECK (decided IN ('file', 'person')),
    synced   BIGINT NOT NULL
);
CREATE INDEX subscribers_by_choice ON subscribers (status, digests, topics);

CREATE TABLE suppressions (
    hash     TEXT PRIMARY KEY,
    address  TEXT,
    reason   TEXT NOT NULL CHECK (reason IN ('bounce', 'complaint', 'manual', 'erased')),
    delivery TEXT,
    at       BIGINT NOT NULL
);

-- What happened to a person, for `why`: subscribed, unsubscribed, suppressed…
CREATE TABLE events (
    id         TEXT PRIMARY KEY,
    subscriber TEXT NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    text       TEXT NOT NULL
);
CREATE INDEX events_by_subscriber ON events (subscriber, at);

-- The ledger. One delivery for one (subscriber, occasion): promise P1 is this constraint.
-- withdrawn_by: the delivery whose bounce suppressed the address and so withdrew this one; the breaker may undo it.
CREATE TABLE deliveries (
    id         TEXT PRIMARY KEY,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    occasion   TEXT NOT NULL,
    edition    TEXT NOT NULL REFERENCES editions (id),
    variant    TEXT NOT NULL REFERENCES variants (id),
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
    UNIQUE (subscriber, occasion)
);
CREATE INDEX deliveries_due ON deliveries (due, id) WHERE state IN ('queued', 'uncertain');
CREATE INDEX deliveries_worked_on ON deliveries (worker) WHERE worker IS NOT NULL;
CREATE INDEX deliveries_by_edition ON deliveries (edition, state);
CREATE INDEX deliveries_by_hash ON deliveries (hash);
CREATE INDEX deliveries_withdrawn ON deliveries (withdrawn_by) WHERE withdrawn_by IS NOT NULL;
CREATE INDEX deliveries_resent ON deliveries (edition) WHERE resends > 0;

-- Every try: begun in the commit that makes the delivery Sending, ended in the one that records the reply.
CREATE TABLE attempts (
    delivery TEXT NOT NULL REFERENCES deliveries (id),
    number   BIGINT NOT NULL,
    began    BIGINT NOT NULL,
    ended    BIGINT,
    stage    TEXT,
    code     BIGINT,
    status   TEXT,
    text     TEXT,
    outcome  TEXT,
    PRIMARY KEY (delivery, number)
);
CREATE INDEX attempts_began ON attempts (began);
