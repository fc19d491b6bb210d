-- An erasure is gone over again until nothing on the way can bring the person back; and whoever writes findings asks first.

ALTER TABLE erased_couriers ADD COLUMN tried_at timestamptz;
ALTER TABLE erased_couriers ADD COLUMN finished_at timestamptz;
COMMENT ON COLUMN erased_couriers.tried_at IS 'When housekeeping last went over it; NULL: not yet.';
COMMENT ON COLUMN erased_couriers.finished_at IS 'Since when nothing of the person is left anywhere; NULL: it is gone over again.';
-- A table of a few rows.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX erased_couriers_unfinished ON erased_couriers (tried_at NULLS FIRST) WHERE finished_at IS NULL;

CREATE FUNCTION leave_erased_couriers_out()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = new.courier_id) THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leave_erased_couriers_out IS
'On every table that a background role fills from fixes: these are on the way for some time after an erasure.';

CREATE TRIGGER erased_is_gone BEFORE INSERT ON stays
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON fence_events
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON stop_visits
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON recounts
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON alerts
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON tracked_stops
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
CREATE TRIGGER erased_is_gone BEFORE INSERT ON quarantine
FOR EACH ROW EXECUTE FUNCTION leave_erased_couriers_out();
