-- Other ways out than webhooks take from the same outbox: a target says by which way it is reached.

ALTER TABLE event_targets ADD COLUMN way text NOT NULL DEFAULT 'webhook';
COMMENT ON COLUMN event_targets.way IS 'By which way it is reached: webhook, or a broker that the settings name.';
COMMENT ON TABLE event_targets IS 'Systems that want events, and how it goes with each.';
-- squawk-ignore ban-drop-constraint
ALTER TABLE event_targets DROP CONSTRAINT signs_with_one_or_two;
-- A handful of rows, here and below.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE event_targets ADD CONSTRAINT signs_with_one_or_two
CHECK (way <> 'webhook' OR cardinality(secrets) BETWEEN 1 AND 2);
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX one_target_a_broker ON event_targets (way) WHERE way IN ('rabbitmq', 'kafka');
