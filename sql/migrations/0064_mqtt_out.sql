-- MQTT is a way out, too: of each way that the settings name there is one target. The index that named two of them stays
-- for the program before this one.

-- A handful of rows.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX one_target_a_way ON event_targets (way) WHERE way <> 'webhook';
