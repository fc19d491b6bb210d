-- name: begin
-- Where nothing was counted yet: begin with the first order, but not before $1 nor after $2.
UPDATE order_hours_horizon AS h
SET kept_until = date_trunc('hour', first.at, 'UTC')
FROM (
    SELECT min(f.at) AS at FROM regions AS r
    CROSS JOIN LATERAL (
        SELECT min(o.placed_at) AS at FROM orders AS o WHERE o.region = r.id AND o.placed_at >= $1::timestamptz AND o.placed_at < $2
    ) AS f
) AS first
WHERE h.kept_until = '-infinity' AND first.at IS NOT NULL;

-- name: take_horizon
SELECT kept_until FROM order_hours_horizon WHERE isfinite(kept_until) FOR UPDATE;

-- name: clear
-- $1 since, $2 until before.
DELETE FROM order_hours WHERE hour >= $1 AND hour < $2;

-- name: count
-- $1 since, $2 until before: whole hours.
INSERT INTO order_hours (
    region, hour, placed, delivered, promised, late, late_s, offers, accepted, answered, doors, n_doors
)
SELECT
    region, hour, placed, delivered, promised, late, late_s, offers, accepted, answered, doors, n_doors
FROM order_hours_made($1, $2);

-- name: move_horizon
UPDATE order_hours_horizon SET kept_until = $1;

-- name: kept_until
-- A time that can be reckoned with, also where nothing was counted yet.
SELECT greatest(kept_until, '2000-01-01T00:00:00Z') AS kept_until FROM order_hours_horizon;

-- name: of_region
-- Region $1 from $2 until before $3 (whole hours), each with the bucket in which it begins ($4).
SELECT
    width_bucket(hour, $4::timestamptz[]) AS bucket,
    placed, delivered, promised, late, late_s, offers, accepted, answered, doors, n_doors
FROM order_hours WHERE region = $1 AND hour >= $2 AND hour < $3;
