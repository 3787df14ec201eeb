-- Since when nothing but its posts keeps a waiting edition: when a person approved it; its slot where nobody need. Null: it waits
-- for a person.
ALTER TABLE editions ADD COLUMN approved BIGINT;

-- Addresses that must answer before an edition is released.
CREATE TABLE awaited (
    edition  TEXT NOT NULL REFERENCES editions (id),
    position BIGINT NOT NULL,
    url      TEXT NOT NULL,
    said     TEXT,                    -- why it did not answer when last asked; empty: it did; null: it was not asked yet
    PRIMARY KEY (edition, position)
);
