-- name: begin
-- Where nothing was summed yet: begin with the first courier, whose fixes may be so late ($1), but not before $2.
UPDATE courier_hours_horizon AS h
SET kept_until = date_trunc('hour', greatest(first.at - $1::interval, $2::timestamptz), 'UTC')
FROM (SELECT min(created_at) AS at FROM couriers) AS first
WHERE h.kept_until = '-infinity' AND first.at IS NOT NULL;

-- name: take_horizon
SELECT kept_until FROM courier_hours_horizon WHERE isfinite(kept_until) FOR UPDATE;

-- name: sum
-- $1 since, $2 until before: whole hours.
INSERT INTO courier_hours (courier_id, hour, region, tracked_s, busy_s, distance_m)
SELECT courier_id, hour, region, tracked_s, busy_s, distance_m FROM courier_hours_made($1, $2)
ON CONFLICT (courier_id, hour) DO UPDATE SET
    region = excluded.region, tracked_s = excluded.tracked_s, busy_s = excluded.busy_s, distance_m = excluded.distance_m;

-- name: move_horizon
UPDATE courier_hours_horizon SET kept_until = $1;

-- name: note_late
-- Fixes of couriers ($1) of hours ($2) that may have been summed; they are summed again when the rollups know them: $3.
INSERT INTO courier_hours_due (courier_id, hour, due_at)
SELECT given.courier_id, given.hour, $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS given (courier_id, hour)
ON CONFLICT (courier_id, hour) DO UPDATE SET due_at = excluded.due_at;

-- name: take_due
-- $1 now: one hour that is to be summed again, with all who are in it.
DELETE FROM courier_hours_due
WHERE hour = (SELECT d.hour FROM courier_hours_due AS d WHERE d.due_at <= $1 ORDER BY d.due_at LIMIT 1) AND due_at <= $1
RETURNING courier_id, hour;

-- name: sum_tracked_again
-- Couriers ($1) of the hour $2, as far as fixes tell: what was done then is known already.
INSERT INTO courier_hours (courier_id, hour, region, tracked_s, busy_s, distance_m)
SELECT p.courier_id, p.bucket, c.region, extract(EPOCH FROM p.last_at - p.first_at), 0, p.distance_m
FROM positions_1h_between($2, $2::timestamptz + INTERVAL '1 hour') AS p
INNER JOIN couriers AS c ON p.courier_id = c.id
WHERE
    p.courier_id = ANY($1::uuid[])
    AND NOT EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = c.id)
ON CONFLICT (courier_id, hour) DO UPDATE SET tracked_s = excluded.tracked_s, distance_m = excluded.distance_m;

-- name: erase
WITH due AS (DELETE FROM courier_hours_due WHERE courier_id = $1)

DELETE FROM courier_hours WHERE courier_id = $1;
