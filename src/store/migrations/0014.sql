-- What `[hooks]` is to be told. A row is gone once it was heard.
CREATE TABLE announcements (
    id    TEXT PRIMARY KEY,
    at    BIGINT NOT NULL,
    kind  TEXT NOT NULL,              -- edition.done, subscriber.confirmed …
    data  TEXT NOT NULL,              -- JSON
    tries BIGINT NOT NULL,
    next  BIGINT NOT NULL             -- no sooner than this is it tried again
);
CREATE INDEX announcements_due ON announcements (next, at);

-- The state of an edition of which was told last.
CREATE TABLE announced (
    edition TEXT PRIMARY KEY REFERENCES editions (id),
    state   TEXT NOT NULL
);
