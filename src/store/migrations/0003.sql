-- What a post's file said when it was last read, and the stamp by which it is known not to have changed since.
ALTER TABLE posts ADD COLUMN stamp TEXT;
ALTER TABLE posts ADD COLUMN facts TEXT NOT NULL DEFAULT '';
