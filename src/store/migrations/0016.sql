-- Which of several relays took a delivery's try, or has it promised: what counts against a relay's own limits. Null where there is one way
-- out alone, or was when it was begun.
ALTER TABLE deliveries ADD COLUMN relay TEXT;
ALTER TABLE attempts ADD COLUMN relay TEXT;
CREATE INDEX attempts_by_relay ON attempts (relay, began) WHERE relay IS NOT NULL;
CREATE INDEX attempts_by_relay_and_lane ON attempts (relay, lane, began) WHERE relay IS NOT NULL AND lane IS NOT NULL;
