-- How the deliveries of editions ended that are done: nobody counts a million each time, and the counts stay when the deliveries are
-- compacted (`[store] keep`). They name nobody. An edition that was done before this has none until then.
CREATE TABLE past (
    edition TEXT NOT NULL REFERENCES editions (id),
    state   TEXT NOT NULL,
    count   BIGINT NOT NULL,
    PRIMARY KEY (edition, state)
);

-- When the last delivery of an edition became a count. Null: its deliveries are there.
ALTER TABLE editions ADD COLUMN compacted BIGINT;

-- The deferred ones of an edition: few, and counted while a million are queued.
CREATE INDEX deliveries_tried ON deliveries (edition, state, attempts) WHERE state = 'queued' AND attempts > 0;
