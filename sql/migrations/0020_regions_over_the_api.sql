-- Regions are made and set over the API: a time zone, a version that two people may not both change, longer names.
ALTER TABLE regions ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';
ALTER TABLE regions ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE regions ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN regions.timezone IS 'IANA name: what the region''s people call noon.';
COMMENT ON COLUMN regions.version IS 'Raised by every change; the ETag.';
COMMENT ON COLUMN regions.settings IS
'{alerts, dispatch, offers, privacy}: what differs from the installation; boundary: GeoJSON.';

-- Wider is no surprise to those who run the release before.
-- squawk-ignore ban-drop-constraint
ALTER TABLE regions DROP CONSTRAINT id_is_a_slug;
-- A handful of rows.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE regions ADD CONSTRAINT id_is_a_slug CHECK (id ~ '^[a-z0-9_-]{1,63}$');

-- Who let offers run out lately (`offers.lapsed_in_region`).
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX offers_by_answer ON offers (region, answered_at) INCLUDE (courier_id, state) WHERE answered_at IS NOT NULL;
