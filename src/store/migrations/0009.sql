-- The files that were written into a folder of feeds, by which it is known that they are still there: of each format the length, the
-- time of change and a hash.
ALTER TABLE feeds ADD COLUMN files TEXT NOT NULL DEFAULT '';
