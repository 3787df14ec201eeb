-- What a WebSub hub was last told of a feed, and what it is to be told.
CREATE TABLE pings (
    feed    TEXT PRIMARY KEY,         -- its URL
    told    TEXT NOT NULL,            -- hash of the bytes that the hub knows; empty where it knows none
    waiting TEXT NOT NULL,            -- hash of those that it is to be told of; empty where there are none
    since   BIGINT NOT NULL,          -- when those were first waited for
    tries   BIGINT NOT NULL,          -- how often the hub did not listen
    next    BIGINT NOT NULL           -- no sooner than this is it tried again
);
