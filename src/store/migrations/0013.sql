-- How the deliveries of editions ended that were compacted (`[store] keep`): counts, which name nobody.
CREATE TABLE past (
    edition TEXT NOT NULL REFERENCES editions (id),
    state   TEXT NOT NULL,
    count   BIGINT NOT NULL,
    PRIMARY KEY (edition, state)
);

-- When the last delivery of an edition became a count. Null: its deliveries are there.
ALTER TABLE editions ADD COLUMN compacted BIGINT;
