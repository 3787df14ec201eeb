-- An edition speaks to each reader in the reader's language, where there are words of it. An empty language stands for every
-- one that has no row.
CREATE TABLE audiences_in (
    edition  TEXT NOT NULL REFERENCES editions (id),
    topics   TEXT NOT NULL,
    language TEXT NOT NULL,
    variant  TEXT REFERENCES variants (id),
    PRIMARY KEY (edition, topics, language)
);
INSERT INTO audiences_in (edition, topics, language, variant) SELECT edition, topics, '', variant FROM audiences;
DROP TABLE audiences;
ALTER TABLE audiences_in RENAME TO audiences;
