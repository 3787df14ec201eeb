-- A lane is the part of the queue that has a limit of its own: a recipient domain of [delivery.domains]; '' for all others.
ALTER TABLE deliveries ADD COLUMN lane TEXT NOT NULL DEFAULT '';
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (lane, due, id) WHERE state IN ('queued', 'uncertain');

ALTER TABLE attempts ADD COLUMN lane TEXT;
CREATE INDEX attempts_by_lane ON attempts (lane, began) WHERE lane IS NOT NULL;
