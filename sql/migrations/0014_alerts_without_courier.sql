-- Alerts about an order, or about a region as a whole, have no courier; several parts of the program may tell of the same.
-- squawk-ignore ban-drop-not-null
ALTER TABLE alerts ALTER COLUMN courier_id DROP NOT NULL;
ALTER TABLE alerts ADD COLUMN source text NOT NULL DEFAULT '';
COMMENT ON COLUMN alerts.source IS 'Part of the program that raised it and will resolve it; empty: the watcher, by its judgement.';
COMMENT ON COLUMN alerts.courier_id IS 'NULL: it is about the order, or about the region as a whole.';

-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX one_open_alert_of_a_subject ON alerts (region, kind, courier_id, order_id, source) NULLS NOT DISTINCT
WHERE resolved_at IS NULL;
-- Two regions may each have an alert about the whole of them: the former index takes the place of its stricter self, for
-- processes of the release before name its columns.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX one_open_alert_of_a_kind;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX one_open_alert_of_a_kind ON alerts (courier_id, kind, order_id) WHERE resolved_at IS NULL;
