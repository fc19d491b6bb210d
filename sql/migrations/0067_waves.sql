-- A day plan may be of one wave: what of a depot's orders leaves now, and what waits for a later one.

ALTER TABLE day_plans ADD COLUMN wave_depot text;
COMMENT ON COLUMN day_plans.wave_depot IS 'Name of the depot whose next wave is planned; null: a plan of the whole day.';
