-- Where couriers are goes out to other systems, too: to those that ask for it, as often as they ask.

ALTER TABLE event_targets ADD COLUMN position_every_s integer NOT NULL DEFAULT 10;
ALTER TABLE event_targets ADD COLUMN position_couriers uuid [];
ALTER TABLE event_targets ADD CONSTRAINT positions_come_at_most_once_a_second
CHECK (position_every_s BETWEEN 1 AND 3600) NOT VALID;
COMMENT ON COLUMN event_targets.position_every_s IS 'Of each courier it gets a position at most so often, in seconds.';
COMMENT ON COLUMN event_targets.position_couriers IS 'Of these couriers only; NULL: of all.';
