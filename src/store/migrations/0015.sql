-- Addresses that deliveries of a person went to, or may have, and that are not the person's own: those that they moved away from, and
-- those that they were asked at and did not confirm. By them, and by the people themselves, the deliveries to an address are found: an
-- index on its hash would be filled in random order, and cost as much as all else when an edition is queued.
CREATE TABLE other_addresses (
    hash       TEXT NOT NULL,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    PRIMARY KEY (hash, subscriber)
);
INSERT INTO other_addresses (hash, subscriber)
SELECT DISTINCT d.hash, d.subscriber FROM deliveries d JOIN subscribers s ON s.id = d.subscriber WHERE d.hash <> s.hash;
DROP INDEX deliveries_by_hash;

-- How many deliveries an edition was released with: those that are queued are these but for the others, which are counted while they
-- are few. Null: it was released before this was noted.
ALTER TABLE editions ADD COLUMN recipients BIGINT;

-- What readers chose, with the language: an edition has a rendering for each, and looks here alone.
DROP INDEX subscribers_by_choice;
CREATE INDEX subscribers_by_choice ON subscribers (status, digests, topics, language);
