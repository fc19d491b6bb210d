-- A year that the program's own instants cannot say fails every statement that reads the row, and so its whole region.

CREATE FUNCTION can_be_read(VARIADIC instants timestamptz [])
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN NOT EXISTS (
    SELECT FROM unnest(instants) AS i (at)
    WHERE isfinite(i.at) AND (i.at < '0001-01-01T00:00:00Z' OR i.at >= '10000-01-01T00:00:00Z')
);
COMMENT ON FUNCTION can_be_read IS 'Whether each is null, infinite, or within the years 1 to 9999.';

-- The API takes 1970 to 2200 everywhere: only a hand in the database could have written others, and rows are not read
-- through for that.
ALTER TABLE orders ADD CONSTRAINT order_instants_can_be_read CHECK (
    can_be_read(
        placed_at, updated_at, ready_at, pickup_opens_at, pickup_due_at, pickup_closes_at,
        dropoff_opens_at, dropoff_due_at, dropoff_closes_at, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at
    )
) NOT VALID;
ALTER TABLE shifts ADD CONSTRAINT shift_instants_can_be_read CHECK (
    can_be_read(starts_at, ends_at, created_at)
) NOT VALID;
ALTER TABLE breaks ADD CONSTRAINT break_instants_can_be_read CHECK (can_be_read(began_at, ended_at)) NOT VALID;
ALTER TABLE couriers ADD CONSTRAINT courier_instants_can_be_read CHECK (
    can_be_read(created_at, updated_at, deleted_at)
) NOT VALID;
ALTER TABLE offers ADD CONSTRAINT offer_instants_can_be_read CHECK (
    can_be_read(offered_at, expires_at, answered_at)
) NOT VALID;
ALTER TABLE routes ADD CONSTRAINT route_instants_can_be_read CHECK (can_be_read(planned_at, updated_at)) NOT VALID;
ALTER TABLE geofences ADD CONSTRAINT geofence_instants_can_be_read CHECK (
    can_be_read(created_at, deleted_at)
) NOT VALID;
