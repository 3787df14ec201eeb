-- The page of an edition for the site, rendered with it, and never changed (P3). Editions frozen before, and those of a digest
-- without an archive, have none.
CREATE TABLE pages (
    edition  TEXT PRIMARY KEY REFERENCES editions (id),
    entry    TEXT NOT NULL,           -- its id in the feed of editions
    date     TEXT NOT NULL,           -- its moment in the digest's zone, RFC 3339
    language TEXT NOT NULL,
    summary  TEXT NOT NULL,
    length   BIGINT NOT NULL,         -- of html, in bytes: tells whether the file is there, without reading it
    html     TEXT NOT NULL,
    content  TEXT NOT NULL            -- of the entry in the feed
);
