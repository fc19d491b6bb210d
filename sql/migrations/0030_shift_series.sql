-- Shifts that were made by one recurrence rule: changed one by one, removed together.
ALTER TABLE shifts ADD COLUMN series_id uuid;
COMMENT ON COLUMN shifts.series_id IS 'Shared by shifts that one recurrence rule made; null: the shift was made alone.';
