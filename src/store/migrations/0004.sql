-- What a folder of feeds was last written from, for those that are not written anew in every run: the feed of a tag, a page of an
-- archive. Never deleted: readers of a tag that nobody uses any more still have a feed.
CREATE TABLE feeds (
    folder TEXT PRIMARY KEY,
    name   TEXT NOT NULL,
    digest TEXT NOT NULL
);

-- The place of a post in the archive of a feed, counted from 0. Given once, so that no page ever shifts.
CREATE TABLE archived (
    feed   TEXT NOT NULL,
    post   TEXT NOT NULL REFERENCES posts (id),
    number BIGINT NOT NULL,
    PRIMARY KEY (feed, post),
    UNIQUE (feed, number)
);
